"""Writes a WAV file of float samples that can be read at any time, even if nobody finished it.

libsndfile writes the sizes into a WAV file only when it closes the file, and ends the file at 4 GiB. So this module
writes the header itself. Until the end, the sizes in the header say "unknown"; readers then take the whole file. A file
beyond 4 GiB becomes RF64 (EBU Tech 3306): the same chunks, with 64-bit sizes in the chunk `ds64`, whose place the
chunk `JUNK` keeps free.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from device.recording.folder import GrowingFile

UNKNOWN_SIZE, UNKNOWN_SIZE_64 = 0xFFFFFFFF, 2**62
"""Sizes in bytes that mean "unknown". libsndfile cannot open an RF64 file of more than 2**63 bytes."""
SAMPLE_BYTES = 4
LARGEST_RIFF = 2**32 - 2**20
"""Most bytes of samples in a RIFF file here. Its 32-bit sizes end at 4 GiB, and the header is part of the size."""
_FLOAT = 3
"""The code WAVE_FORMAT_IEEE_FLOAT of a WAV header: the samples are floating-point numbers."""
_DS64_BYTES = 28
_FORMAT_BYTES = 18
"""Bytes of the content of the chunks `ds64` and `fmt `."""


class WavWriter:
    """Writes mono sound at `rate` Hz as a WAV file of 32-bit float samples into `file`.

    The header is appended at once.
    """

    def __init__(self, file: GrowingFile, rate: int) -> None:
        self._file, self._rate = file, rate
        self._is_rf64 = False
        self.samples = 0
        """Samples that were appended so far."""
        header = self._header(UNKNOWN_SIZE, None)
        self._header_bytes = len(header)
        file.append(header)

    def append(self, block: NDArray[np.float32]) -> None:
        """Append a block of samples, float32[n]. If the file grows beyond 4 GiB, its header becomes that of RF64."""
        content = np.ascontiguousarray(block, "<f4")
        self.samples += len(content)
        if not self._is_rf64 and self._bytes > LARGEST_RIFF:
            self._is_rf64 = True
            self._file.patch(0, self._header(UNKNOWN_SIZE, UNKNOWN_SIZE_64))
        self._file.append(content.tobytes())

    def seal(self) -> None:
        """Write the final sizes into the header, at the end of a recording.

        All samples must be on the disk before. Otherwise a power cut could leave a header that counts missing samples.
        """
        if self._is_rf64:
            self._file.patch(0, self._header(UNKNOWN_SIZE, self._bytes))
        else:
            self._file.patch(0, self._header(self._bytes, None))

    @property
    def _bytes(self) -> int:
        return self.samples * SAMPLE_BYTES

    def _header(self, size: int, size_64: int | None) -> bytes:
        """Return the header, as bytes, for `size` bytes of samples.

        If `size_64` is given, it is the true size, the header is that of RF64, and `size` must be UNKNOWN_SIZE.
        """
        layout = struct.pack("<HHIIHHH", _FLOAT, 1, self._rate, self._rate * SAMPLE_BYTES, SAMPLE_BYTES, 32, 0)
        head = 12 + 8 + _DS64_BYTES + 8 + _FORMAT_BYTES + 8
        if size_64 is None:
            whole = size if size == UNKNOWN_SIZE else head - 8 + size
            return b"".join(
                (
                    *(b"RIFF", struct.pack("<I", whole), b"WAVE"),
                    *(b"JUNK", struct.pack("<I", _DS64_BYTES), bytes(_DS64_BYTES)),
                    *(b"fmt ", struct.pack("<I", _FORMAT_BYTES), layout),
                    *(b"data", struct.pack("<I", size)),
                )
            )
        sizes = struct.pack("<QQQI", min(head - 8 + size_64, UNKNOWN_SIZE_64), size_64, size_64 // SAMPLE_BYTES, 0)
        return b"".join(
            (
                *(b"RF64", struct.pack("<I", UNKNOWN_SIZE), b"WAVE"),
                *(b"ds64", struct.pack("<I", _DS64_BYTES), sizes),
                *(b"fmt ", struct.pack("<I", _FORMAT_BYTES), layout),
                *(b"data", struct.pack("<I", size)),
            )
        )
