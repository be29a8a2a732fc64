"""A flaw in a part of a sound file that the box does not need: the sound is read as if the part were not there."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.files.sound.file import SoundFile

RATE = 44_100
TONE = (0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
FORMAT = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


@pytest.mark.parametrize(
    "flawed",
    [
        chunk(b"PEAK", bytes(4)),
        chunk(b"smpl", bytes(4)),
        chunk(b"LIST", b"INFOabcdefg"),
        chunk(b"LIST", b"adtlabcdefg"),
        chunk(b"fmt ", FORMAT),
        chunk(b"\x80\x81\x82\x83", bytes(8)),
        bytes(24),
    ],
    ids=["short-peak", "short-smpl", "info", "adtl", "format-twice", "name", "zeros"],
)
def test_a_wav_is_read_whatever_its_other_chunks_hold(tmp_path: Path, flawed: bytes) -> None:
    pcm = np.rint(TONE * 32_767).astype("<i2").tobytes()
    body = b"WAVE" + chunk(b"fmt ", FORMAT) + flawed + chunk(b"data", pcm)
    (tmp_path / "a.wav").write_bytes(chunk(b"RIFF", body))
    sound = SoundFile(tmp_path / "a.wav")
    assert (sound.rate, sound.frames, sound.warnings) == (RATE, RATE, [])
    assert np.allclose(sound.read(), TONE, atol=1e-4)


AIFF_FLAWS = {
    "comment": (b"COMT", b"\xff" * 9),
    "comment-count": (b"COMT", bytes(range(40))),
    "channels": (b"CHAN", b"\xff" * 40),
    "application": (b"APPL", b"x"),
    "peak": (b"PEAK", b""),
    "name": (b"\x80\x81\x82\x83", bytes(8)),
    "zeros": (bytes(4), b""),
}
"""Chunks of an AIFF file that libsndfile refuses, or for which it reads less or other sound: name and content."""


@pytest.mark.parametrize("flaw", AIFF_FLAWS)
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_an_aiff_is_read_whatever_its_other_chunks_hold(tmp_path: Path, subtype: str, flaw: str) -> None:
    soundfile.write(tmp_path / "whole.aiff", TONE, RATE, format="AIFF", subtype=subtype)
    whole = (tmp_path / "whole.aiff").read_bytes()
    name, content = AIFF_FLAWS[flaw]
    flawed = name + struct.pack(">I", len(content)) + content + bytes(len(content) % 2)
    for body in (whole[:12] + flawed + whole[12:], whole + flawed):
        (tmp_path / "a.aiff").write_bytes(body)
        sound = SoundFile(tmp_path / "a.aiff")
        assert (sound.rate, sound.frames, sound.warnings) == (RATE, RATE, [])
        assert np.allclose(sound.read(), TONE, atol=1e-4)


def test_an_aiff_that_was_cut_in_a_tag_behind_its_sound_is_read_without_the_tag(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.aiff", TONE, RATE, format="AIFF", subtype="PCM_16")
    whole = (tmp_path / "a.aiff").read_bytes()
    tag = np.random.default_rng(1).integers(0, 256, 4000, np.uint8).tobytes()
    (tmp_path / "a.aiff").write_bytes(whole + b"ID3 " + struct.pack(">I", 9000) + tag)
    assert SoundFile(tmp_path / "a.aiff").frames == RATE


@pytest.mark.parametrize("channels", [0, 1])
def test_a_wav_without_a_rate_or_a_channel_is_refused(tmp_path: Path, channels: int) -> None:
    form = struct.pack("<HHIIHH", 1, channels, (1 - channels) * RATE, 0, 2, 16)
    body = b"WAVE" + chunk(b"fmt ", form) + chunk(b"data", bytes(10_000))
    (tmp_path / "a.wav").write_bytes(chunk(b"RIFF", body))
    with pytest.raises(UserError, match="is not a WAV or FLAC file"):
        SoundFile(tmp_path / "a.wav")


@pytest.mark.parametrize(("before", "lost"), [(b"\0" * 2000, 0), (b"", 700)], ids=["zeros", "within-a-frame"])
def test_an_mp3_is_read_from_its_first_whole_frame(tmp_path: Path, before: bytes, lost: int) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.tile(TONE, 3), RATE, format="MP3")
    whole = path.read_bytes()
    path.write_bytes(before + whole[lost:])
    sound = SoundFile(path)
    assert sound.rate == RATE and 2.7 < sound.seconds < 3.2
    assert 0.25 < np.abs(sound.read()).max() < 0.35


@pytest.mark.parametrize("head", [b"\x1a\x45\xdf\xa3", b"\0\0\0\x18ftypmp42", b"RIFF\0\0\0\0AVI "])
def test_the_sound_of_a_film_is_not_guessed_at(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "film"
    soundfile.write(path, np.tile(TONE, 3), RATE, format="MP3")
    path.write_bytes(head + bytes(64) + path.read_bytes())
    with pytest.raises(UserError, match="convert it"):
        SoundFile(path)
