"""Collects a count-in that is announced: the first onsets of a performance, or four tempo taps.

The count-in gives the beat. The left hand does not answer its notes.
"""

from __future__ import annotations

SAME_ONSET_S = 0.06
"""Notes closer than this many seconds are one onset.

The notes of a chord are spread by up to 50 ms. Sixteenths at 160 beats a minute are 94 ms apart.
"""
TAPS = 4
"""Number of taps that make a count-in."""
LONGEST_S = 3.0
"""A tap more than this many seconds after the last one starts a new series: 3 s a beat is 20 beats a minute."""
UNEVEN = 0.35
"""A tap also starts a new series if its interval differs by more than this share from the interval before.

The tap before it then belongs to the new series too.
"""


class CountIn:
    """Collects the times in seconds of the first `wanted` onsets. If `wanted` is 0, there is no count-in."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.onsets: list[float] = []
        self._latest_is_part = wanted > 0

    @property
    def complete(self) -> bool:
        """Whether all onsets of the count-in have been heard."""
        return len(self.onsets) >= self.wanted

    @property
    def latest_is_part(self) -> bool:
        """Whether the last note belonged to the count-in. Before the first note: whether there is a count-in."""
        return self._latest_is_part

    def hear(self, onset_s: float) -> bool:
        """Handle a note at `onset_s` seconds. Return True if it belongs to the count-in.

        It belongs if it is a new count, or close in time to a known one.
        """
        beside = any(abs(onset_s - known) < SAME_ONSET_S for known in self.onsets)
        if not beside and not self.complete:
            self.onsets.append(onset_s)
            self.onsets.sort()
            beside = True
        self._latest_is_part = beside
        return beside

    def close(self) -> None:
        """End the count-in: the music has begun, and no later note belongs to the count-in."""
        self._latest_is_part = False

    def beat_s(self) -> float:
        """Return the length of a beat in seconds: the slope of the least-squares line through two or more onsets."""
        n = len(self.onsets)
        middle = (n - 1) / 2
        return sum((i - middle) * t for i, t in enumerate(self.onsets)) / (n * (n * n - 1) / 12)

    def next_beat_s(self, beat_s: float) -> float:
        """Return the time in seconds of the beat after the last onset.

        The beat lies on the line of slope `beat_s` (seconds a beat) that fits the onsets (one or more) best.
        """
        n = len(self.onsets)
        return sum(self.onsets) / n + beat_s * (n + 1) / 2


class Taps:
    """Collects taps. The last four taps count, so every further tap that keeps the beat corrects the tempo."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def tap(self, at_s: float) -> CountIn | None:
        """Add a tap at `at_s` seconds. Return the last four taps as a count-in if they keep a beat, else None.

        A tap less than SAME_ONSET_S after the last one is left out. A switch that bounces sends such taps, and so
        does a network that holds taps back and then delivers them together.
        """
        times = self._times
        if times and 0 <= at_s - times[-1] < SAME_ONSET_S:
            return None
        if times and not 0 < at_s - times[-1] <= LONGEST_S:
            times.clear()
        if len(times) >= 2:
            before_s, now_s = times[-1] - times[-2], at_s - times[-1]
            if abs(now_s - before_s) > UNEVEN * before_s:
                del times[:-1]
        times.append(at_s)
        del times[:-TAPS]
        if len(times) < TAPS:
            return None
        counted = CountIn(TAPS)
        for time_s in times:
            counted.hear(time_s)
        return counted
