"""Turns the player's notes into onsets: a chord is one onset, and each onset has an interval and a class of chord."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from device.following.rhythm import RECENT, SIZE_CLASSES, chord_class, interval_class
from device.following.trills import Trills

SAME_ONSET_S = 0.045
"""Seconds: closer notes are one chord, whose first note is its onset."""


class Classes(NamedTuple):
    """Holds the classes of an onset: see `device.following.rhythm`."""

    interval: tuple[int, int]
    """Classes of the interval before, and of the one to this onset."""
    chord: tuple[int, int]
    """Keys of the onset before, less 1, and the class of this one."""


@dataclass(frozen=True, slots=True)
class Onset:
    """Holds the parts of an onset that the hypotheses use, besides its time and pitch."""

    classes: Classes
    """The classes of the first key. Other keys of the same chord are not known yet."""
    semitones: int = 0
    """Interval from the top key of the onset before."""
    stray: float = 0.0
    """Least probability that the onset is on no place of the grid, as in a trill. The hypotheses use it only after a
    count-in. The net of the beat changes the weights only if it is 0."""
    last: Classes | None = None
    """The classes of the onset before with all its keys. None if they are not known."""


class HeardOnsets:
    """Remembers the last onsets. `count` is their number, and `last_s` the time of the last one in seconds."""

    def __init__(self, last_s: float = -math.inf) -> None:
        """Begin with no onset, after a last count at `last_s` seconds, if there was one."""
        self.last_s = last_s
        self.count = 0
        self.before: frozenset[int] = frozenset()
        """All pitches of the onset before the last one. It is empty for the first onset."""
        self._pitches: frozenset[int] = frozenset()
        self._recent: tuple[frozenset[int], ...] = ()
        self._interval = self._interval_before = 0
        self._keys_before, self._top_before = 1, 0
        self._trills = Trills()

    def hear(self, onset_s: float, pitch: int) -> Onset | None:
        """Add a note that starts at `onset_s` seconds. Return the onset; None if the note belongs to the last one."""
        if onset_s - self.last_s < SAME_ONSET_S:
            self._pitches |= {pitch}
            return None
        last = self._whole()
        recent = (*self._recent, self._pitches)[-RECENT:]
        fresh = all(pitch % 12 != known % 12 for heard in recent for known in heard)
        before = self._interval
        self._keys_before, self._top_before = max(len(self._pitches), 1), max(self._pitches, default=pitch)
        semitones = pitch - self._top_before
        self._interval_before, self._interval = before, interval_class(semitones)
        chord = min(self._keys_before, SIZE_CLASSES) - 1, chord_class(1, int(fresh))
        self.before = self._pitches
        self._recent, self._pitches, self.last_s = recent, frozenset({pitch}), onset_s
        self.count += 1
        return Onset(Classes((before, self._interval), chord), semitones, self._trills.hear(onset_s, pitch), last)

    def _whole(self) -> Classes:
        """Return the classes of the last onset with all its keys. Its interval is that of the top key."""
        interval = self._interval
        if len(self._pitches) > 1 and self.count > 1:
            interval = interval_class(max(self._pitches) - self._top_before)
        known = {pitch % 12 for heard in self._recent for pitch in heard}
        fresh = len({pitch % 12 for pitch in self._pitches} - known)
        keys = min(self._keys_before, SIZE_CLASSES) - 1
        return Classes((self._interval_before, interval), (keys, chord_class(max(len(self._pitches), 1), fresh)))
