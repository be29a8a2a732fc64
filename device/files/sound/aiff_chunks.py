"""Finds the two chunks of an AIFF file that its sound needs: the format and the samples.

libsndfile also reads comments, channel layouts and other chunks. It refuses a file for a flaw in one of them, or takes
the end of one for sound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from device.files.sound.file_part import ZEROS

_HEAD = 12
"""Bytes before the first chunk: "FORM", a length, and "AIFF" or "AIFC"."""
_MOST_CHUNKS = 10_000
"""Largest number of chunks that are passed over. A header has a few, and one with pictures some hundred."""
USUAL_AIFF = (
    *(b"COMM", b"SSND", b"FVER", b"NAME", b"AUTH", b"(c) ", b"ANNO", b"MARK", b"INST"),
    *(b"MIDI", b"COMT", b"APPL", b"AESD", b"CHAN", b"ID3 ", b"bext", b"LIST"),
)
"""Names of usual chunks. The byte that has to follow a chunk of an odd length may be missing before one of these."""


@dataclass(frozen=True)
class _Chunk:
    """Names a chunk that begins at byte `start`. Its content ends at byte `end`, and `filled_end` is after a filling.

    `lacks_filling` says that the filling is missing.
    """

    name: bytes
    start: int
    end: int
    lacks_filling: bool

    @property
    def filled_end(self) -> int:
        return self.end if self.lacks_filling else self.end + (self.end - self.start) % 2


def is_aiff(head: bytes) -> bool:
    """Return whether `head`, 12 bytes or more, is the beginning of an AIFF or AIFC file."""
    return head[:4] == b"FORM" and head[8:_HEAD] in (b"AIFF", b"AIFC")


def needed_pieces(path: Path, to_end: bool) -> list[tuple[int, int]]:
    """Return (first byte, number of bytes) of the head, the format and the samples of an AIFF file, in their order.

    A piece of zeros stands for a filling that is missing (`device.files.sound.file_part`). With `to_end` the samples go
    on to the end of the file, whatever length their head gives. The list is empty if `path` is not an AIFF file, or if
    one of the two chunks is missing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if not is_aiff(file.read(_HEAD)):
            return []
        wanted, pieces = [b"COMM", b"SSND"], [(0, _HEAD)]
        for chunk in _chunks(file, size):
            if chunk.name in wanted:
                wanted.remove(chunk.name)
                if chunk.name == b"SSND" and to_end:
                    return [] if wanted else [*pieces, (chunk.start, size - chunk.start)]
                pieces.append((chunk.start, min(chunk.filled_end, size) - chunk.start))
                pieces += [(ZEROS, 1)] if chunk.lacks_filling else []
            if not wanted:
                return pieces
    return []


def lacks_filling(file: BinaryIO, position: int) -> bool:
    """Return whether the next chunk of an AIFF file begins at `position`, behind a chunk of an odd length."""
    file.seek(position)
    names = file.read(5)
    return names[:4] in USUAL_AIFF and names[1:] not in USUAL_AIFF


def _chunks(file: BinaryIO, size: int) -> Iterator[_Chunk]:
    """Yield the chunks of an AIFF file of `size` bytes, up to the last that begins within it."""
    position = _HEAD
    for _ in range(_MOST_CHUNKS):
        if position + 8 > size:
            return
        file.seek(position)
        head = file.read(8)
        end = position + 8 + int.from_bytes(head[4:], "big")
        chunk = _Chunk(head[:4], position, end, (end - position) % 2 == 1 and lacks_filling(file, end))
        yield chunk
        position = chunk.filled_end
