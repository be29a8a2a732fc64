"""Finds the links of a chained Ogg file: several recordings one after another, as in a paused recording or a stream.

libsndfile reads the first link alone, without a word. A link begins with pages that begin a stream (RFC 3533, 6).
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

MOST_LINKS = 1000
"""Largest number of links that are told apart. More are no recordings of music, and opening each takes time."""
_HEAD = 27
"""Bytes of a page before its table of segments, whose number is the last of them."""
_BEGINS = 0x02
"""Flag of a page that begins a stream, in byte 5."""


def ogg_links(path: Path) -> list[tuple[int, int]]:
    """Return (first byte, number of bytes) of each link of the Ogg file `path`; nothing for every other file.

    Only the heads of the pages are read. Bytes after the last whole page belong to the last link. Raises OSError if the
    file cannot be read.
    """
    size = path.stat().st_size
    starts: list[int] = []
    was_begin = False
    with path.open("rb") as file:
        at = 0
        while at + _HEAD <= size:
            file.seek(at)
            head = file.read(_HEAD)
            if head[:4] != b"OggS":
                break
            begins = bool(head[5] & _BEGINS)
            if begins and not was_begin and len(starts) < MOST_LINKS:
                starts.append(at)
            was_begin = begins
            at += _HEAD + head[-1] + sum(file.read(head[-1]))
    return [(start, end - start) for start, end in pairwise([*starts, size])]
