"""A file of many empty chunks is given up soon: a gigabyte of them would take minutes."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from device.files.sound.aiff_chunks import needed_pieces
from device.files.sound.file_part import ZEROS
from device.files.sound.wav_header import read_wav_header, right_length

FORMAT = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 48_000, 96_000, 2, 16)
W64_NAME = bytes(12)
HEADS = {
    "wav": b"RIFF\xff\xff\xff\x7fWAVE" + FORMAT,
    "aiff": b"FORM\x7f\xff\xff\xffAIFF",
    "caf": b"caff\0\x01\0\0",
    "w64": b"riff\x2e\x91\xcf\x11" + bytes(32),
}
EMPTY = {
    "wav": b"note\0\0\0\0",
    "aiff": b"note\0\0\0\0",
    "caf": b"note" + bytes(8),
    "w64": b"note" + W64_NAME + struct.pack("<Q", 24),
}
SOUND = {
    "wav": b"data\0\0\0\0" + bytes(1000),
    "aiff": b"SSND\0\0\0\0" + bytes(1000),
    "caf": b"data" + bytes(8) + bytes(1000),
    "w64": b"data" + W64_NAME + bytes(8) + bytes(1000),
}


@pytest.mark.parametrize("kind", HEADS)
def test_the_sound_behind_many_chunks_is_not_looked_for(tmp_path: Path, kind: str) -> None:
    def finds(chunks: int) -> bool:
        path = tmp_path / f"{chunks}.{kind}"
        path.write_bytes(HEADS[kind] + chunks * EMPTY[kind] + SOUND[kind])
        return (read_wav_header(path) if kind == "wav" else right_length(path)) is not None

    assert finds(500) and not finds(20_000)


def test_the_chunks_of_an_aiff_are_passed_over_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.aiff"
    needed = b"COMM\0\0\0\x01xSSND\0\0\0\0"
    path.write_bytes(HEADS["aiff"] + 20_000 * EMPTY["aiff"] + needed)
    assert needed_pieces(path, to_end=False) == []
    path.write_bytes(HEADS["aiff"] + 20 * EMPTY["aiff"] + needed)
    assert needed_pieces(path, to_end=False) == [(0, 12), (172, 9), (ZEROS, 1), (181, 8)]
