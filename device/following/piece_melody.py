"""Learns which intervals the melody of the piece has at each place in the beat, while the piece is played.

The figures of a piece come back to the same places in the beat. So its intervals tell places apart that the rhythm does
not tell apart, as in a run of even notes.
"""

from __future__ import annotations

import numpy as np

from device.following.rhythm import INTERVAL_CLASSES, Floats

EXPONENT = 0.7
"""Exponent of the likelihood of an interval. It is below 1 because successive intervals are not independent."""
HALF, DECAY = 20.0, 0.98
"""Number of onsets at which a place counts as much as all places together, and the share of the old counts of a place
that is left after one more onset there."""
DECAY_ANYWHERE = 0.99
"""The same share for the counts of all places together."""
FIRST_COUNT = 0.5
"""Count of each interval before the first onset."""
CERTAIN = 1.0
"""An onset is learned only if no moved grid is likelier than the present one by more than this log likelihood.

Else a grid that has slipped would learn the intervals in a wrong place, and then stay there.
"""
LEAPS = np.array([3, 5, 8])
"""Semitones at which a class of larger intervals begins. The first class has one and two semitones."""
LEAP_CLASSES = 2 * (len(LEAPS) + 1) + 1


def leap_class(semitones: int) -> int:
    """Return the class of a melodic interval: 0 for a repeated note, else by size and direction."""
    if semitones == 0:
        return 0
    return 1 + 2 * int(np.searchsorted(LEAPS, abs(semitones), side="right")) + (semitones < 0)


class PieceMelody:
    """Counts the classes of intervals at each place in the beat, after each class of the interval before."""

    def __init__(self, beat: int) -> None:
        """Start with empty counts. `beat` is the length of a felt beat in ticks."""
        self._beat = beat
        self._anywhere = np.full((INTERVAL_CLASSES, LEAP_CLASSES), FIRST_COUNT)
        self._here = np.zeros((INTERVAL_CLASSES, LEAP_CLASSES, beat))
        self._seen = np.zeros((INTERVAL_CLASSES, beat))

    def factor(self, before: int, semitones: int) -> Floats:
        """Return how much more probable an interval is at each tick of the beat [beat] than in the whole piece.

        The ratio is raised to the power `EXPONENT`. `before` is the class of the interval before, see
        `device.following.rhythm`, and `semitones` the interval of this onset.
        """
        now = leap_class(semitones)
        share = float(self._anywhere[before, now] / self._anywhere[before].sum())
        return np.asarray(((self._here[before, now] / share + HALF) / (self._seen[before] + HALF)) ** EXPONENT)

    def learn(self, tick: int, before: int, semitones: int, against: float) -> None:
        """Count an onset at `tick` that came with an interval, as in `factor`.

        `against` is the log likelihood of the likeliest moved grid, minus that of the present one, see `PhaseVotes`.
        """
        if against >= CERTAIN:
            return
        now, place = leap_class(semitones), tick % self._beat
        self._here[before, :, place] *= DECAY
        self._here[before, now, place] += 1
        self._seen[before, place] = self._seen[before, place] * DECAY + 1
        self._anywhere[before] *= DECAY_ANYWHERE
        self._anywhere[before, now] += 1
