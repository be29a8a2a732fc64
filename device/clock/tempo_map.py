"""Converts the ticks of a MIDI file to seconds and back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

DEFAULT_US_PER_QUARTER = 500_000
"""Tempo of a MIDI file that names none, in microseconds per quarter note: 120 quarter notes a minute."""
TICKS_PER_BEAT = 960
"""Ticks per quarter note in MIDI files that this project writes from sound.

At 120 quarter notes a minute, a tick is about 0.5 ms.
"""

FEW_TICKS, FINE_TICKS = 96, 480
"""A MIDI file that is written beside one with fewer than FEW_TICKS ticks per quarter note gets at least FINE_TICKS.

Programs that compute music write files of 1 to 24 ticks. A left hand with so few would lose its rhythm.
"""
_LEAST_TICKS_PER_FRAME, _MOST_TICKS_PER_FRAME = 10, 255
"""Ticks per frame of an SMPTE division: the least in a file that is written, and the most that a file can have."""


class TempoMap:
    """Converts ticks from tick 0 to seconds and back. A quarter note has `ticks_per_beat` ticks.

    `tempos` are (tick, microseconds per quarter note) in any order. The last one of each tick counts. A tempo of 0 or
    less is ignored. A negative `ticks_per_beat` is an SMPTE division of MIDI: the high byte is minus the frame rate,
    and the low byte is the number of ticks per frame. Tempos have no effect then.
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
        """Return the time of `tick` in seconds. Tick 0 is at 0 s."""
        i = bisect_right(self._ticks, tick) - 1
        return self._seconds[i] + float(tick - self._ticks[i]) * self._s_per_tick[i]

    def tick(self, seconds: float) -> int:
        """Return the tick that is nearest to `seconds`, which must be 0 or more."""
        i = max(0, bisect_right(self._seconds, seconds) - 1)
        return max(0, self._ticks[i] + round((seconds - self._seconds[i]) / self._s_per_tick[i]))

    def finer(self) -> tuple[TempoMap, int]:
        """Return a map of the same times whose ticks are fine enough for a left hand, and its ticks in one of these.

        It is this map with the factor 1 if its own ticks are fine enough: see FEW_TICKS.
        """
        if self.ticks_per_beat < 0:
            per_frame = self.ticks_per_beat & 0xFF
            factor = min(-(-_LEAST_TICKS_PER_FRAME // per_frame), _MOST_TICKS_PER_FRAME // per_frame)
            # the other byte of an SMPTE division is the frame rate
            division = self.ticks_per_beat + per_frame * (factor - 1)
        else:
            factor = -(-FINE_TICKS // self.ticks_per_beat) if self.ticks_per_beat < FEW_TICKS else 1
            division = self.ticks_per_beat * factor
        return TempoMap(division, [(tick * factor, us) for tick, us in self.tempos]), factor


def _smpte_tick_s(division: int) -> float:
    frames = -(division >> 8)
    rate = 30_000 / 1_001 if frames == 29 else float(frames)
    return 1.0 / (rate * (division & 0xFF))
