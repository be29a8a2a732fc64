"""Finds out whether a copy of a sound file was broken off before its sound begins, or was made as text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from device.files.sound.wav_header import is_cut_wav

_MOST_PARTS = 10_000
"""Most chunks, blocks or pages that are passed over. A header has a few, and one with pictures some hundred."""


_JUDGED = 256 * 1024
"""Bytes at the beginning of a file by which a copy as text is known."""
_LEAST_LINES = 64
"""Fewest line feeds of a copy as text. So many do not follow carriage returns by chance."""


def was_copied_as_text(path: Path) -> bool:
    """Return whether a program took the file at `path` for text and put a carriage return before each line feed.

    FTP in text mode and mail programs do so. A file that is text has no zeros. Raises OSError if it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_JUDGED)
    lines = head[1:].count(b"\n")
    return b"\0" in head and lines >= _LEAST_LINES and head.count(b"\r\n") >= lines


def is_cut_in_header(path: Path) -> bool:
    """Return whether the file at `path` begins as a sound file and ends within its header or within a tag before it.

    The kinds are WAV, AIFF, CAF, AU, FLAC, Ogg, and MP3 or another kind behind an ID3 tag. Raises OSError if the file
    cannot be read.
    """
    if is_cut_wav(path):
        return True
    with path.open("rb") as file:
        size = path.stat().st_size
        start = _after_id3(file)
        file.seek(start)
        head = file.read(12)
        if start and start >= size:
            return True
        if head[:4] == b"FORM" and head[8:] in (b"", b"A", b"AI", b"AIF", b"AIFF", b"AIFC"):
            return not _has_chunk(file, start + 12, size, b"SSND", 4, 2)
        if head[:4] == b"caff":
            return not _has_chunk(file, start + 8, size, b"data", 8, 1)
        if head[:4] == b".snd":
            return len(head) < 8 or start + max(24, int.from_bytes(head[4:8], "big")) > size
        if head[:4] == b"fLaC":
            return not _has_frames(file, start + 4, size)
        if head[:4] == b"OggS":
            return not any(granule > 0 for granule in _granules(file, start))
    return False


def _after_id3(file: BinaryIO) -> int:
    """Return the number of bytes of the ID3 tag at the beginning of the file (id3.org, ID3v2.4, 3.1); 0 without one."""
    head = file.read(10)
    if head[:3] != b"ID3":
        return 0
    if len(head) < 10:
        return 10
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _has_chunk(file: BinaryIO, position: int, size: int, name: bytes, width: int, even: int) -> bool:
    """Return whether a chunk `name` follows at or after `position` in a file of `size` bytes.

    The lengths of chunks have `width` bytes. Each chunk begins at a multiple of `even` bytes.
    """
    for _ in range(_MOST_PARTS):
        if position > size:  # a length of 64 bits may lead to a place that no file can have
            return False
        file.seek(position)
        head = file.read(4 + width)
        if head[:4] == name:
            return True
        if len(head) < 4 + width:
            return False
        position += len(head) + int.from_bytes(head[4:], "big")
        position += position % even
    return True


def _has_frames(file: BinaryIO, position: int, size: int) -> bool:
    """Return whether a byte follows the last block of the header of a FLAC file (RFC 9639, 8.1) of `size` bytes."""
    for _ in range(_MOST_PARTS):
        file.seek(position)
        head = file.read(4)
        if len(head) < 4:
            return False
        position += 4 + int.from_bytes(head[1:], "big")
        if head[0] & 0x80:
            return position < size
    return True


def _granules(file: BinaryIO, position: int) -> Iterator[int]:
    """Yield the number of samples at the end of each page of an Ogg file (RFC 3533, 6): 0 in the pages of its header.

    A page that is not whole ends the file. Damage counts as a page of sound.
    """
    for _ in range(_MOST_PARTS):
        file.seek(position)
        head = file.read(27)
        if len(head) < 27:
            return
        lengths = file.read(head[26])
        position += 27 + len(lengths) + sum(lengths)
        file.seek(position - 1)
        if head[:4] != b"OggS":
            yield 1
            return
        if len(lengths) < head[26] or not file.read(1):
            return
        yield int.from_bytes(head[6:14], "little", signed=True)
    yield 1
