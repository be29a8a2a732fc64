"""Turns the player's notes into onsets: a chord is one onset, and each onset has an interval and a class of chord."""

from __future__ import annotations

import math
from dataclasses import dataclass

from device.following.rhythm import RECENT, SIZE_CLASSES, chord_class, interval_class
from device.following.trills import Trills

SAME_ONSET_S = 0.045
"""Seconds: closer notes are one chord, whose first note is its onset."""


@dataclass(frozen=True, slots=True)
class Onset:
    """Holds the parts of an onset that the hypotheses use, besides its time and pitch."""

    interval: tuple[int, int]
    """Classes of the interval before, and of the one to this onset."""
    chord: tuple[int, int]
    """Keys of the onset before, less 1, and the class of this one: see `device.following.rhythm`."""
    semitones: int
    """Interval from the top key of the onset before."""
    stray: float
    """Least probability that the onset is on no place of the grid, as in a trill."""


class HeardOnsets:
    """Remembers the last onsets. `count` is their number, and `last_s` the time of the last one in seconds."""

    def __init__(self, last_s: float = -math.inf) -> None:
        """Begin with no onset, after a last count at `last_s` seconds, if there was one."""
        self.last_s = last_s
        self.count = 0
        self._pitches: frozenset[int] = frozenset()
        self._recent: tuple[frozenset[int], ...] = ()
        self._interval = 0
        self._trills = Trills()

    def hear(self, onset_s: float, pitch: int) -> Onset | None:
        """Add a note that starts at `onset_s` seconds. Return the onset; None if the note belongs to the last one."""
        if onset_s - self.last_s < SAME_ONSET_S:
            self._pitches |= {pitch}
            return None
        recent = (*self._recent, self._pitches)[-RECENT:]
        fresh = all(pitch % 12 != known % 12 for heard in recent for known in heard)
        before = self._interval
        semitones = pitch - max(self._pitches) if self._pitches else 0
        self._interval = interval_class(semitones)
        chord = min(max(len(self._pitches), 1), SIZE_CLASSES) - 1, chord_class(1, int(fresh))
        self._recent, self._pitches, self.last_s = recent, frozenset({pitch}), onset_s
        self.count += 1
        return Onset((before, self._interval), chord, semitones, self._trills.hear(onset_s, pitch))
