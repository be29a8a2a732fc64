"""Writes a 16-bit stereo WAV file piece by piece. Silence takes no time and, on most disks, no room."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError

_CHANNELS, _BYTES = 2, 2
"""Channels, and bytes of a sample."""
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_LARGEST = 0xFFFFFFFF - _HEADER.size
"""Bytes of sound that the lengths in a WAV header, 32 bits each, can state."""
_FULL_SCALE = 32_767
"""The 16-bit sample of a value of 1."""


class SparseWav:
    """Writes `frames` frames at `rate` Hz into the file `path`. Frames that are never written are silent.

    Use it in a `with` statement, whose end completes the file. Raises UserError if a WAV file cannot hold so much, and
    OSError if the disk refuses.
    """

    def __init__(self, path: Path, rate: int, frames: int) -> None:
        size = frames * _CHANNELS * _BYTES
        if size > _LARGEST:
            hours = _LARGEST / (rate * _CHANNELS * _BYTES * 3600)
            raise UserError(
                f"The mix would last {frames / rate / 3600:.1f} hours, and a .wav file holds {hours:.1f}: "
                f"leave --audio out, or give a shorter input."
            )
        self._file = path.open("wb")
        frame = _CHANNELS * _BYTES
        header = (b"RIFF", size + _HEADER.size - 8, b"WAVE", b"fmt ", 16, 1, _CHANNELS)
        self._file.write(_HEADER.pack(*header, rate, rate * frame, frame, 8 * _BYTES, b"data", size))
        self._size = _HEADER.size + size

    def write(self, frame: int, sound: NDArray[np.float32]) -> None:
        """Write float32[n, 2], full scale at 1, from the frame number `frame` on."""
        self._file.seek(_HEADER.size + frame * _CHANNELS * _BYTES)
        self._file.write(np.rint(np.clip(sound, -1, 1) * _FULL_SCALE).astype("<i2").tobytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._file.truncate(self._size)
        finally:
            self._file.close()
