"""Keeps one grid of beats for a long time: it follows the clock's leader, but does not jump when another one leads."""

from __future__ import annotations

import math
from bisect import bisect

import numpy as np

LEVELS = np.array([1 / 3, 1 / 2, 2 / 3, 3 / 4, 1.0, 4 / 3, 3 / 2, 2.0, 3.0])
"""Lengths of the beats that are judged, as shares of the beat of the frame."""
LOG_LEVELS = np.log(LEVELS)
BETWEEN = (LOG_LEVELS[1:] + LOG_LEVELS[:-1]) / 2
"""Logarithms of the limits between a level and the next one."""
SAME_TEMPO = 0.07
"""Two beats are the same if the natural logarithms of their lengths differ by less than this."""
LOST = 4
"""The frame begins again after so many onsets in a row at which the leader's beat was none of the levels."""
PARTS = 12
"""The leader is taken for moved by a whole number of such parts of its beat; the rest corrects the frame."""

_LEVELS, _LOG_LEVELS, _BETWEEN = LEVELS.tolist(), LOG_LEVELS.tolist(), BETWEEN.tolist()


class GridFrame:
    """Gives each onset a place on the kept grid. `beat_s` is the grid's beat in seconds, 0 before the first onset."""

    def __init__(self) -> None:
        self.beat_s, self.place = 0.0, 0.0
        """`place` is that of the last onset in beats, from any origin."""
        self._level, self._off, self._misses = 1.0, 0.0, 0

    def hear(self, gap_s: float, leader: tuple[float, float] | None) -> bool:
        """Use an onset that comes `gap_s` seconds after the last one. Return whether the frame began again.

        `leader` has the beat in seconds and the place of the onset in beats by the leading hypothesis; None if that has
        the onset on no place.
        """
        if leader is None:
            self.place += gap_s / self.beat_s if self.beat_s else 0.0
            return False
        beat_s, at = leader
        log_ratio = math.log(beat_s / self.beat_s) if self.beat_s else math.inf
        near = bisect(_BETWEEN, log_ratio)
        if abs(_LOG_LEVELS[near] - log_ratio) > SAME_TEMPO:
            self._misses += 1
            if self.beat_s and self._misses < LOST:
                self.place += gap_s / self.beat_s
                return False
            self.beat_s, self.place = beat_s, at
            self._level, self._off, self._misses = 1.0, 0.0, 0
            return True
        self._misses = 0
        level = _LEVELS[near]
        before_s, self.beat_s = self.beat_s, beat_s / level
        self.place += 2 * gap_s / (before_s + self.beat_s)
        away = at * level - self.place
        if level == self._level:
            part = level / PARTS
            away -= self._off
            self.place += away - round(away / part) * part
        else:
            self._level, self._off = level, away
        return False
