"""WAV files whose header says something else about the samples than is there: the sound is read as it is meant."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from device.files.sound.file import SoundFile

RATE = 44_100
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
GUID = bytes.fromhex("0100000000001000800000aa00389b71")


def music() -> np.ndarray:
    """A soft beginning, then two tones at half of full scale, float64[n]. Many samples are silent."""
    time = np.arange(20_000) / RATE
    sound = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.2 * np.sin(2 * np.pi * 660 * time)
    sound[:4000] = 0
    return sound


def whole(bits: int) -> np.ndarray:
    """The music as whole numbers of so many bits, int64[n]."""
    return np.round(music() * (2 ** (bits - 1) - 1)).astype(np.int64)


def three_bytes(numbers: np.ndarray) -> bytes:
    return numbers.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def written(path: Path, data: bytes, bits: int, frame: int, tag: int, channels: int, more: bytes) -> SoundFile:
    form = struct.pack("<HHIIHH", tag, channels, RATE, RATE * frame, frame, bits) + more
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return SoundFile(path)


def read(path: Path, data: bytes, bits: int, frame: int, tag: int = PCM, channels: int = 1, more: bytes = b"") -> None:
    sound = written(path, data, bits, frame, tag, channels, more)
    assert sound.warnings == []
    assert np.max(np.abs(sound.read() - music())) < 1e-4
    assert (sound.rate, sound.frames) == (RATE, len(music()))


@pytest.mark.parametrize("frame", [0, 1, 4, 16])
def test_a_wrong_size_of_a_frame_changes_nothing(tmp_path: Path, frame: int) -> None:
    read(tmp_path / "a.wav", whole(16).astype("<i2").tobytes(), 16, frame)


@pytest.mark.parametrize("frame", [2, 32])
def test_a_size_of_a_frame_without_the_channels_or_in_bits_changes_nothing_in_stereo(
    tmp_path: Path, frame: int
) -> None:
    read(tmp_path / "a.wav", np.repeat(whole(16), 2).astype("<i2").tobytes(), 16, frame, channels=2)


def test_a_header_without_the_bits_of_a_sample_is_read_by_the_size_of_a_frame(tmp_path: Path) -> None:
    read(tmp_path / "a.wav", whole(16).astype("<i2").tobytes(), 0, 2)


@pytest.mark.parametrize(("bits", "frame", "more"), [(32, 4, b""), (24, 4, b""), (32, 4, b"\2\0\0\0")])
def test_floating_point_that_is_called_whole_numbers_is_read_as_what_it_is(
    tmp_path: Path, bits: int, frame: int, more: bytes
) -> None:
    read(tmp_path / "a.wav", music().astype("<f4").tobytes(), bits, frame, more=more)
    extended = struct.pack("<HHI", 22, bits, 4) + GUID
    read(tmp_path / "b.wav", music().astype("<f4").tobytes(), 32, frame, EXTENSIBLE, more=extended)


def test_doubles_that_are_called_whole_numbers_are_read_as_what_they_are(tmp_path: Path) -> None:
    read(tmp_path / "a.wav", music().astype("<f8").tobytes(), 64, 8)


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("sign", [True, False])
def test_24_bits_in_the_lower_bytes_of_32_have_their_level(tmp_path: Path, bits: int, sign: bool) -> None:
    lower = whole(bits) << (24 - bits)
    read(tmp_path / "a.wav", (lower if sign else lower & 0xFFFFFF).astype("<u4").tobytes(), 24, 4)
    read(tmp_path / "b.wav", np.repeat(lower, 2).astype("<u4").tobytes(), 24, 8, channels=2)


def test_samples_as_the_standard_has_them_are_read_as_before(tmp_path: Path) -> None:
    read(tmp_path / "a.wav", (whole(24) << 8).astype("<i4").tobytes(), 24, 4)
    read(tmp_path / "b.wav", whole(32).astype("<i4").tobytes(), 32, 4)
    read(tmp_path / "c.wav", three_bytes(whole(24)), 24, 3)
    read(tmp_path / "d.wav", three_bytes(whole(20) << 4), 20, 3)
    read(tmp_path / "e.wav", music().astype("<f4").tobytes(), 32, 4, FLOAT)
    read(tmp_path / "f.wav", (whole(16) << 16).astype("<i4").tobytes(), 16, 4)
    read(tmp_path / "g.wav", np.repeat(whole(16) << 16, 2).astype("<i4").tobytes(), 16, 8, channels=2)


def test_24_bits_in_the_upper_bytes_are_read_as_before_if_only_a_short_part_is_loud(tmp_path: Path) -> None:
    long = np.resize(np.array([10, -10]), 2_000_000)
    # it lies between the places that are looked at
    loud = slice(1_010_000, 1_010_000 + len(whole(24)))
    long[loud] = whole(24)
    sound = written(tmp_path / "a.wav", (long << 8).astype("<i4").tobytes(), 24, 4, PCM, 1, b"")
    assert np.max(np.abs(sound.read()[loud] - music())) < 1e-4
