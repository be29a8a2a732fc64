"""Finds the links of a chained Ogg file: several recordings one after another, as in a paused recording or a stream.

libsndfile reads the first link alone, without a word. A link begins with pages that begin a stream (RFC 3533, 6).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

MOST_LINKS = 1000
"""Largest number of links that are told apart. More are no recordings of music, and opening each takes time."""
_HEAD = 27
"""Bytes of a page before its table of segments, whose number is the last of them."""
_BEGINS = 0x02
"""Flag of a page that begins a stream, in byte 5."""
_MARK = b"OggS\0"
"""First bytes of every page: its name and the version of the format."""
_MOST_GAPS = 1000
"""Largest number of places at which no page follows the one before. More are no recording that was damaged."""
_MOST_BEFORE = 64 * 1024
"""Most bytes before the first page: a tag of a music program, or the head of an answer of a web server."""
_OTHERS = (b"RIFF", b"RF64", b"BW64", b"RIFX", b"FORM", b"fLaC", b"caff", b".snd", b"MThd")
"""First bytes of files of other kinds, in which no page is looked for."""
_CHUNK = 64 * 1024
"""Bytes that the search for the next page reads at a time."""


def ogg_links(path: Path) -> tuple[list[tuple[int, int]], bool]:
    """Return (first byte, number of bytes) of each link of the Ogg file `path`, and whether it is damaged.

    It is damaged if a page does not follow the one before, but stands later in the file. For every other file there are
    no links. Only the heads of the pages are read, and bytes before the first page are passed over. Bytes after the
    last whole page belong to the last link. Raises OSError if the file cannot be read.
    """
    size = path.stat().st_size
    starts: list[int] = []
    was_begin, gaps = False, 0
    with path.open("rb") as file:
        at = page = _first_page(file)
        while at + _HEAD <= size:
            file.seek(at)
            head = file.read(_HEAD)
            if not head.startswith(_MARK):
                # the length of the page before may be wrong too
                found = _next_page(file, page + 1) if starts and gaps < _MOST_GAPS else None
                if found is None:
                    break
                at, gaps = found, gaps + 1
                continue
            begins = bool(head[5] & _BEGINS)
            if begins and not was_begin and len(starts) < MOST_LINKS:
                starts.append(at)
            was_begin, page = begins, at
            at += _HEAD + head[-1] + sum(file.read(head[-1]))
    return [(start, end - start) for start, end in pairwise([*starts, size])], gaps > 0


def _first_page(file: BinaryIO) -> int:
    """Return the first byte at which a page begins a stream; 0 if there is none within the first bytes."""
    head = file.read(_MOST_BEFORE)
    return 0 if head.startswith(_OTHERS) else max(0, head.find(_MARK + bytes([_BEGINS])))


def starts_late(path: Path) -> bool:
    """Return whether `path` is an Ogg file with other bytes before its first page. Raises OSError."""
    with path.open("rb") as file:
        return _first_page(file) > 0


def _next_page(file: BinaryIO, at: int) -> int | None:
    """Return the first byte from `at` on at which a page seems to begin; None if there is none."""
    file.seek(at)
    data = b""
    while chunk := file.read(_CHUNK):
        data += chunk
        if (place := data.find(_MARK)) >= 0:
            return at + place
        at += max(0, len(data) - len(_MARK) + 1)
        data = data[-len(_MARK) + 1 :]
    return None
