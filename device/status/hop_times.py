"""Counts the processing times of hops (short blocks of sound), and sets a limit for them."""

from __future__ import annotations

from array import array

import numpy as np

LARGEST_SHARE = 0.25
"""Largest share of a hop's length that 99 of 100 hops may take. The rest is for sound, MIDI and other programs."""


class HopTimes:
    """Counts hops by their processing time, in bins of BIN_MS milliseconds. Its size does not grow with time."""

    BIN_MS = 0.05
    BINS = 4000

    def __init__(self) -> None:
        # an array of the standard library: numpy takes ten times as long to add 1 to a number
        self._counts = array("q", bytes(8 * self.BINS))
        self._count = 0

    def add(self, seconds: float) -> None:
        """Add a hop that took `seconds`. Times beyond the last bin are counted in the last bin."""
        self._counts[min(int(seconds * 1e3 / self.BIN_MS), self.BINS - 1)] += 1
        self._count += 1

    @property
    def count(self) -> int:
        """Return the number of hops so far."""
        return self._count

    def percentile_ms(self, percent: float) -> float:
        """Return the time in ms within which `percent` of the hops lie: the upper edge of their bin. 0 without hops."""
        if not self._count:
            return 0.0
        sums = np.cumsum(np.frombuffer(self._counts, np.int64))
        return float(np.searchsorted(sums, sums[-1] * percent / 100) + 1) * self.BIN_MS
