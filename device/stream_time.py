"""Converts seconds of the input stream to the monotonic time of the machine."""

from __future__ import annotations

LEAK = 200e-6
"""Seconds per second by which the clock of a sound card may lag behind the machine: each crystal is within 100e-6."""
GAP_S = 0.010
"""Seconds. If every block is late by more than this, samples were lost, not delayed."""
GAP_AFTER_S = 1.0
"""Seconds for which every block must be late. A stall of the machine is shorter: its late blocks come in a burst."""


class StreamTime:
    """Learns from the arrival times of blocks when each second of the stream happens.

    A block can be late but never early. So the smallest value of (arrival - stream time) is the true offset. The offset
    falls at once when a block comes earlier than predicted. It rises only at the rate LEAK, so late blocks do not move
    it. When the input has lost samples, the offset jumps, and all later blocks are on time again.
    """

    def __init__(self) -> None:
        self._offset_s: float | None = None
        self._last_s = 0.0
        self._in_time_s = 0.0
        self._least_s = float("inf")

    @property
    def known(self) -> bool:
        """True if a block has arrived, so that times can be converted."""
        return self._offset_s is not None

    def arrived(self, stream_s: float, at_s: float) -> float:
        """Learn from the block that ends at `stream_s` and arrived at monotonic time `at_s`, both in seconds.

        Returns the seconds of sound that were found to be lost, usually 0.
        """
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
        """Return the time of the machine that belongs to the time `stream_s` of the stream, both in seconds.

        It is the monotonic time at which the sample at `stream_s` reaches the box when nothing delays it. Call it only
        after the first block has arrived.
        """
        assert self._offset_s is not None
        return self._offset_s + stream_s
