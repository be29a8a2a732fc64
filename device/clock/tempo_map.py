"""A MIDI file's ticks to seconds and back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

DEFAULT_US_PER_QUARTER = 500_000
"""MIDI's own tempo where a file names none: 120 quarters a minute."""
TICKS_PER_BEAT = 960
"""Ticks a quarter in a MIDI file written from sound: a tick is half a millisecond at 120 quarters a minute."""


class TempoMap:
    """Ticks from tick 0, at `ticks_per_beat` a quarter, to seconds, after the (tick, microseconds a quarter) `tempos`.

    Tempos come in any order, and the last of each tick counts. A negative `ticks_per_beat` is MIDI's SMPTE
    division (its high byte minus the frame rate, its low byte the ticks a frame), where tempos say nothing.
    """

    def __init__(self, ticks_per_beat: int, tempos: Sequence[tuple[int, int]] = ()) -> None:
        self.ticks_per_beat = ticks_per_beat
        usable = {tick: us for tick, us in sorted(tempos, key=lambda t: t[0]) if us > 0}
        self.tempos = sorted(({0: DEFAULT_US_PER_QUARTER} | usable).items())
        if ticks_per_beat < 0:
            rates = [_smpte_tick_s(ticks_per_beat)] * len(self.tempos)
        else:
            rates = [us / 1e6 / ticks_per_beat for _, us in self.tempos]
        self._ticks = [tick for tick, _ in self.tempos]
        self._s_per_tick = rates
        self._seconds = [0.0]
        for (tick, later), rate in zip(pairwise(self._ticks), rates, strict=False):
            self._seconds.append(self._seconds[-1] + (later - tick) * rate)

    def seconds(self, tick: int | Fraction) -> float:
        """The time of `tick`."""
        i = bisect_right(self._ticks, tick) - 1
        return self._seconds[i] + float(tick - self._ticks[i]) * self._s_per_tick[i]

    def tick(self, seconds: float) -> int:
        """The tick nearest to `seconds` >= 0."""
        i = max(0, bisect_right(self._seconds, seconds) - 1)
        return max(0, self._ticks[i] + round((seconds - self._seconds[i]) / self._s_per_tick[i]))


def _smpte_tick_s(division: int) -> float:
    frames = -(division >> 8)
    rate = 30_000 / 1_001 if frames == 29 else float(frames)
    return 1.0 / (rate * (division & 0xFF))
