"""How long hops took, and how long they may take."""

from __future__ import annotations

import numpy as np

LARGEST_SHARE = 0.25
"""Largest share of a hop's length that 99 of 100 hops may take. The rest is for sound, MIDI and other programs."""


class HopTimes:
    """How long hops took, in bins of BIN_MS, without growing."""

    BIN_MS = 0.05
    BINS = 4000

    def __init__(self) -> None:
        self._counts = np.zeros(self.BINS, np.int64)

    def add(self, seconds: float) -> None:
        """A hop took `seconds`; what is beyond the last bin counts in it."""
        self._counts[min(int(seconds * 1e3 / self.BIN_MS), self.BINS - 1)] += 1

    @property
    def count(self) -> int:
        """Hops so far."""
        return int(self._counts.sum())

    def percentile_ms(self, percent: float) -> float:
        """The upper edge of the bin below or in which `percent` of the hops lie; 0 without any."""
        if not self.count:
            return 0.0
        return float(np.searchsorted(np.cumsum(self._counts), self.count * percent / 100) + 1) * self.BIN_MS
