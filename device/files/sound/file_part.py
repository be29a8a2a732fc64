"""Lets a decoder read parts of a file as if they were a file of their own, with some bytes put in or changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

ZEROS = -1
"""First byte of a piece of zeros, see `FilePart`."""


class FilePart:
    """Lets soundfile read the `pieces` of an open file, (first byte, number of bytes) each, as a file of its own.

    A piece with the first byte `ZEROS` stands for so many zeros that the file lacks. The bits in `cleared`, (place of
    the byte in the open file, mask), read as 0. `replaced` is a place in the open file and the bytes to read there.
    """

    def __init__(
        self,
        file: BinaryIO,
        pieces: Sequence[tuple[int, int]],
        cleared: Sequence[tuple[int, int]] = (),
        replaced: tuple[int, bytes] = (0, b""),
    ) -> None:
        self._file, self._pieces, self._at = file, pieces, 0
        self._size = sum(size for _, size in pieces)
        self._cleared = cleared
        self._replaced = {replaced[0] + i: byte for i, byte in enumerate(replaced[1])}
        self.place = pieces[0][0]
        """Byte of the file up to which it was read."""

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._at)
        until = self._at + (left if size < 0 else min(size, left))
        data, passed = b"", 0
        for start, length in self._pieces:
            begin, end = max(self._at, passed), min(until, passed + length)
            if begin < end:
                data += self._bytes(start, begin - passed, end - begin)
            passed += length
        self._at += len(data)
        return data

    def _bytes(self, start: int, skipped: int, size: int) -> bytes:
        """Return `size` bytes of the piece that begins at the byte `start` of the file, after `skipped` of it."""
        if start == ZEROS:
            return bytes(size)
        self._file.seek(start + skipped)
        data = bytearray(self._file.read(size))
        first = start + skipped
        for place, mask in self._cleared:
            if 0 <= place - first < len(data):
                data[place - first] &= ~mask & 0xFF
        for place, byte in self._replaced.items():
            if 0 <= place - first < len(data):
                data[place - first] = byte
        self.place = first + len(data)
        return bytes(data)
