"""What stands behind the sound of a WAV file: text without the head of a chunk, and further WAV files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.files.sound.file import SoundFile

RATE = 16_000


def tone(hz: float = 440.0) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hz * np.arange(RATE) / RATE)


def wav(folder: Path, sound: np.ndarray, rate: int = RATE, stated: int | None = None) -> bytes:
    """The bytes of a WAV file of 16 bits. `stated` is the length that it declares, if that is not the true one."""
    path = folder / "whole.wav"
    soundfile.write(path, sound, rate, subtype="PCM_16")
    data = path.read_bytes()
    if stated is None:
        return data
    length = struct.pack("<I", stated)
    at = data.index(b"data") + 4
    return data[:4] + length + data[8:at] + length + data[at + 4 :]


def read(folder: Path, content: bytes) -> SoundFile:
    (folder / "a.wav").write_bytes(content)
    return SoundFile(folder / "a.wav")


def same(sound: SoundFile, *parts: np.ndarray) -> bool:
    return bool(np.allclose(sound.read(), np.concatenate(parts), atol=1e-4))


@pytest.mark.parametrize(
    "text",
    [
        b"recorded at home " * 100,
        b"<?xml version='1.0'?>\r\n<BWFXML>" + b"<TAKE/>" * 200 + b"</BWFXML>",
        "schöne Übung, très bien\n".encode() * 400,
    ],
)
def test_text_behind_the_sound_is_not_heard_and_the_header_is_right(tmp_path: Path, text: bytes) -> None:
    sound = read(tmp_path, wav(tmp_path, tone()) + text)
    assert same(sound, tone()) and sound.warnings == []


def test_sound_behind_a_length_that_is_too_small_is_no_text(tmp_path: Path) -> None:
    for samples in (tone(), np.random.default_rng(0).uniform(-0.9, 0.9, RATE)):
        sound = read(tmp_path, wav(tmp_path, samples, stated=10_000))
        assert same(sound, samples) and "gives no length or a wrong one" in sound.warnings[0]


@pytest.mark.parametrize("between", [b"", b"LIST" + struct.pack("<I", 4) + b"INFO"])
def test_every_recording_of_joined_wav_files_is_read(tmp_path: Path, between: bytes) -> None:
    parts = [tone(), tone(550.0), tone(660.0)]
    sound = read(tmp_path, between.join(wav(tmp_path, part) for part in parts))
    assert same(sound, *parts) and sound.warnings == [] and sound.seconds == pytest.approx(3.0)


@pytest.mark.parametrize("stated", [0, 0xFFFFFFFF])
def test_the_last_of_joined_wav_files_is_read_to_the_end_of_the_file(tmp_path: Path, stated: int) -> None:
    sound = read(tmp_path, wav(tmp_path, tone()) + wav(tmp_path, tone(550.0), stated=stated))
    assert same(sound, tone(), tone(550.0)) and "gives no length or a wrong one" in sound.warnings[0]


def test_a_joined_wav_file_of_another_rate_is_left_out_and_said(tmp_path: Path) -> None:
    sound = read(tmp_path, wav(tmp_path, tone()) + wav(tmp_path, tone(), rate=8_000))
    assert same(sound, tone())
    assert "holds WAV files one after another" in sound.warnings[0] and "convert them" in sound.warnings[0]


def test_an_mp3_within_a_wav_may_have_other_samples_than_its_encoder_was_given(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.mp3", np.stack([tone(), tone()], axis=1), RATE, format="MP3")
    frames = (tmp_path / "a.mp3").read_bytes()[:-100]
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 2, RATE, 8_000, 576, 0, 12, 1, 2, 576, 1, 1393)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(frames)) + frames
    sound = read(tmp_path, b"RIFF" + struct.pack("<I", len(body)) + body)
    assert sound.warnings == [] and sound.seconds == pytest.approx(1.0, abs=0.2)
