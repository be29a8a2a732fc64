"""Finds trills: two near keys struck in turn, too fast for the grid.

The notes of a trill are on no places of the grid. A clock that takes them for sextuplets or thirty-seconds of another
tempo slips.
"""

from __future__ import annotations

import math
from collections import deque

LONGEST_TRILL_S, WIDEST_TRILL = 0.13, 2
"""Longest time between two notes of a trill in seconds, and the largest interval between its keys in semitones."""
TRILL_NOTES = 4
"""A trill is found at its fourth note."""
STRAY_IN_TRILL = 0.3
"""Least probability that a note of a trill is on no place of the grid. Written sixteenths also alternate fast."""


class Trills:
    """Remembers the last notes of a melody."""

    def __init__(self) -> None:
        self._pitches: deque[int] = deque(maxlen=TRILL_NOTES)
        self._last_s = -math.inf

    def hear(self, onset_s: float, pitch: int) -> float:
        """Return the least probability that an onset at `onset_s` seconds is on no place. It is 0 outside a trill.

        `pitch` is the MIDI pitch of the onset's first note.
        """
        if onset_s - self._last_s > LONGEST_TRILL_S:
            self._pitches.clear()
        self._last_s = onset_s
        self._pitches.append(pitch)
        if len(self._pitches) < TRILL_NOTES or not 1 <= abs(pitch - self._pitches[-2]) <= WIDEST_TRILL:
            return 0.0
        first, second, third, fourth = self._pitches
        return STRAY_IN_TRILL if (first, second) == (third, fourth) else 0.0
