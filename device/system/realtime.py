"""What keeps a Python process in time."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

import numpy as np

PRIORITY = 50
"""Below the sound system's own threads (70 and above), above everything that is not in real time."""
SWITCH_S = 0.0005
"""A thread waits at most about this long for the interpreter; Python's own 5 ms would be heard as jitter."""


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """From here on no garbage collection, which takes 10 to 20 ms when it is a full one, and quick thread switches.

    Begin after everything is loaded.
    """
    before_s = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
        gc.unfreeze()
        gc.enable()


def ask_for_fifo() -> bool:
    """Run the calling thread, and no other, under SCHED_FIFO; False where that is not permitted."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True


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
