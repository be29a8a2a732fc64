"""Sound files: whole ones are read as mono samples, all others are refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.files.sound_file import SoundFile

RATE = 44_100


def tone(seconds: float = 0.5) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)


def saved(path: Path, samples: np.ndarray | None = None, subtype: str = "PCM_16") -> Path:
    soundfile.write(path, tone() if samples is None else samples, RATE, subtype=subtype)
    return path


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_whole_file_is_read_in_blocks_of_any_size(tmp_path: Path, suffix: str) -> None:
    sound = SoundFile(saved(tmp_path / f"a{suffix}"))
    assert (sound.rate, sound.frames, sound.seconds) == (RATE, RATE // 2, 0.5)
    assert np.allclose(sound.read(), tone(), atol=1e-4)
    assert np.array_equal(np.concatenate(list(sound.blocks(777))), sound.read())


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([tone(), -0.5 * tone()], axis=1)
    sound = SoundFile(saved(tmp_path / "a.wav", stereo, "FLOAT"))
    assert np.allclose(sound.read(), 0.25 * tone(), atol=1e-6)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
@pytest.mark.parametrize("kept", [0.04, 0.5, 0.99])
def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = saved(tmp_path / f"a{suffix}", np.random.default_rng(0).uniform(-0.3, 0.3, RATE).astype(np.float32))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(UserError, match="cut short"):
        SoundFile(path)


def test_a_wav_cut_inside_its_header_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.wav")
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(UserError, match="cut short"):
        SoundFile(path)


def test_a_wav_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.wav")
    data = bytearray(path.read_bytes())
    size_at = data.index(b"data") + 4
    data[size_at : size_at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    assert SoundFile(path).frames == RATE // 2


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.wav", b"", "is empty"),
        ("text.wav", b"this is not sound at all", "not a WAV or FLAC file"),
        ("text.flac", b"this is not sound at all", "not a WAV or FLAC file"),
    ],
)
def test_what_is_no_sound_is_refused_by_name(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} {sentence}|{name} is {sentence}"):
        SoundFile(tmp_path / name)


def test_a_header_without_a_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no sound"):
        SoundFile(saved(tmp_path / "a.wav", np.zeros(0, np.float32)))


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.wav does not exist"):
        SoundFile(tmp_path / "gone.wav")
    with pytest.raises(UserError, match="is a folder"):
        SoundFile(tmp_path)
