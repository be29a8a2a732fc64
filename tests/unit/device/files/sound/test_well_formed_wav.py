"""Well-formed WAV files whose other chunks hold odd things: the sound is read exactly, without a warning."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random

import numpy as np
import pytest

from device.files.sound.file import SoundFile

RATE = 44_100
FRAMES = 300
NAMES = [b"LIST", b"JUNK", b"bext", b"cue ", b"iXML", b"LGWV", b"umid", b"chna", b"id3 ", b"abcd", b"PAD ", b"DISP"]
"""Names of chunks that programs write, and one that none writes."""


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk with the byte that fills an odd length."""
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def tone(channels: int) -> np.ndarray:
    """A sine, int16[FRAMES, channels]."""
    one = np.round(16_000 * np.sin(0.1 * np.arange(FRAMES))).astype("<i2")
    return np.stack([one] * channels, axis=1)


def wav(path: Path, before: bytes, after: bytes = b"", channels: int = 1) -> SoundFile:
    form = struct.pack("<HHIIHH", 1, channels, RATE, 2 * channels * RATE, 2 * channels, 16)
    body = b"WAVE" + chunk(b"fmt ", form) + before + chunk(b"data", tone(channels).tobytes()) + after
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return SoundFile(path)


def is_whole(sound: SoundFile) -> bool:
    return np.array_equal(sound.read(), tone(1)[:, 0] / np.float32(32_768)) and sound.warnings == []


def test_chunks_that_hold_the_name_of_the_sound_are_passed_over(tmp_path: Path) -> None:
    words = b"data" * 200
    for names in ([(b"LGWV", 17), (b"LIST", 104)], [(b"LIST", 605), (b"umid", 1)], [(b"bext", 602)]):
        assert is_whole(wav(tmp_path / "a.wav", b"".join(chunk(name, words[:size]) for name, size in names)))


@pytest.mark.parametrize("seed", range(5))
def test_any_chunks_around_the_sound_are_passed_over(tmp_path: Path, seed: int) -> None:
    random = Random(seed)

    def some() -> bytes:
        found = b""
        for _ in range(random.choice([0, 1, 3])):
            size = random.choice([0, 1, 4, 17, 100, 601, 5000])
            content = random.choice([random.randbytes(size), bytes(size), (b"data" * size)[:size]])
            found += chunk(random.choice(NAMES), content)
        return found

    for _ in range(60):
        assert is_whole(wav(tmp_path / "a.wav", some(), some(), random.choice([1, 2])))
