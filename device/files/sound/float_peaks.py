"""Finds the greatest sample of a file in floating point, for each way in which its channels may become one.

A few wrong samples, as a fault of a program leaves them, do not count: a sound that is loud is so for longer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.files.sound.channel_choice import ChannelChoice

PIECE_S = 0.02
"""Seconds of one piece."""
LOUD_PIECES, LOUDEST = 5, 10.0
"""The greatest peak counts as at most LOUDEST times the least peak of the LOUD_PIECES loudest pieces.

A stroke of a piano falls by less than that within five pieces. A wrong sample is in one piece, or in two.
"""


class FloatPeaks:
    """Keeps the loudest pieces of each channel and of the mean of all channels."""

    def __init__(self, rate: int, channels: int) -> None:
        self._size = max(1, round(PIECE_S * rate))
        self._highest = np.zeros((LOUD_PIECES, channels + 1))
        self._pieces = 0

    def add(self, block: NDArray[np.float32]) -> None:
        """Add the samples `block` of shape [n, channels]. Samples that are not finite count as 0."""
        finite = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        sizes = np.abs(np.column_stack([finite, finite.mean(axis=1, dtype=np.float64)]))
        peaks = np.maximum.reduceat(sizes, np.arange(0, len(sizes), self._size), axis=0)
        self._pieces += len(peaks)
        self._highest = np.sort(np.concatenate([self._highest, peaks]), axis=0)[-LOUD_PIECES:]

    def peak(self, choice: ChannelChoice) -> float:
        """Return the peak of the sound that is heard with `choice`, at least 1, full scale."""
        heard = self._highest[:, -1 if choice.channel is None else choice.channel]
        peak = heard[-1] if self._pieces < LOUD_PIECES else min(heard[-1], LOUDEST * heard[0])
        return max(1.0, float(peak))
