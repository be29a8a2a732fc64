"""Stream seconds to the machine's monotonic time."""

from __future__ import annotations

LEAK = 200e-6
"""Seconds a second by which a card's clock may lag behind the machine's: crystals keep within 100e-6 each."""
GAP_S = 0.010
"""Sound that is late by more than this, block after block, is not late but lost."""
GAP_AFTER_S = 1.0
"""How long that has to last. A stall of the machine is over sooner: its late blocks come in a burst."""


class StreamTime:
    """Learns from the arrival of blocks when each second of the stream is.

    A block can be late but never early, so the smallest of (arrival - stream time) is the truth. It falls at
    once when a block comes earlier than any before, and rises at LEAK only, so that late blocks move nothing;
    where the input has lost samples it moves at once, and everything after is in time again.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._last_s = 0.0
        self._in_time_s = 0.0
        self._least_s = float("inf")

    @property
    def known(self) -> bool:
        """Whether a block has arrived."""
        return self._offset_s is not None

    def arrived(self, stream_s: float, at_s: float) -> float:
        """The block that ends at `stream_s` arrived at `at_s` of monotonic time; gives the seconds found lost."""
        offset_s = at_s - stream_s
        if self._offset_s is None:
            self._offset_s = offset_s
        best_s = min(offset_s, self._offset_s + LEAK * (stream_s - self._last_s))
        self._last_s = stream_s
        lost_s = 0.0
        if offset_s - best_s < GAP_S:
            self._in_time_s, self._least_s = stream_s, float("inf")
        else:
            self._least_s = min(self._least_s, offset_s)
            if stream_s - self._in_time_s >= GAP_AFTER_S:
                lost_s = self._least_s - best_s
                best_s = self._least_s
                self._in_time_s, self._least_s = stream_s, float("inf")
        self._offset_s = best_s
        return lost_s

    def wall(self, stream_s: float) -> float:
        """The monotonic time at which `stream_s` arrives or arrived; only once a block has."""
        assert self._offset_s is not None
        return self._offset_s + stream_s
