"""Tempo taps: four in a row are a count-in, at any time."""

from __future__ import annotations

from device.countin import CountIn

TAPS = 4
LONGEST_S = 3.0
"""A tap that comes later than this after the one before begins anew: 20 beats a minute."""
UNEVEN = 0.35
"""So does one whose distance differs by this share from the distance before."""


class Taps:
    """Collects taps; a fifth that keeps the beat bends it, as it is the fourth of the last four."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def tap(self, at_s: float) -> CountIn | None:
        """Take a tap in; the last four where they keep a beat, else None."""
        times = self._times
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
