"""Counts the samples at the peak of a sound, to find out whether it is clipped."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

CLIPPED = 0.003
"""Share of the samples at the very peak from which on a sound is so clipped that notes are heard which nobody played.

Of 19 recordings of a piano, none has more than 0.000002. A tune that is amplified to twice full scale has 0.006, and 2
notes of 53 that are heard are false.
"""
LEAST_PEAK = 0.05
"""Share of full scale. A softer sound may have many samples at its peak because its samples have few values."""
_AT_PEAK = 0.9995
"""Samples above this share of the peak are at the peak."""


class PeakCount:
    """Counts the samples at the peak of each channel."""

    def __init__(self, channels: int) -> None:
        """Begin without a sample."""
        self._highest, self._count, self._samples = np.zeros(channels), np.zeros(channels), 0

    def add(self, block: NDArray[np.floating[Any]]) -> None:
        """Add finite samples of the shape [samples, channels]."""
        size = np.abs(block)
        highest = np.maximum(self._highest, size.max(axis=0, initial=0.0))
        self._count[highest * _AT_PEAK > self._highest] = 0
        self._highest = highest
        self._count += np.sum((size >= highest * _AT_PEAK) & (size > 0), axis=0)
        self._samples += len(block)

    def share(self) -> NDArray[np.float64]:
        """Return the share of the samples at the peak, [channels]."""
        return self._count / max(self._samples, 1)

    def highest(self) -> float:
        """Return the greatest size of a sample of any channel, full scale at 1."""
        return float(self._highest.max())

    def clipped(self) -> float:
        """Return the largest share of the samples at the peak of a channel if that channel is clipped, else 0."""
        share = np.where(self._highest >= LEAST_PEAK, self.share(), 0.0)
        return float(share.max()) if share.max() >= CLIPPED else 0.0
