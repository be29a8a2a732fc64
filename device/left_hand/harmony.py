"""Chooses the current chord on each beat and keeps it until another chord is clearly better."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.left_hand.chord_names import label

Array = npt.NDArray[np.float32]

TRIADS = np.zeros((24, 12), np.float32)
"""[24, 12] 1 for each pitch class of a triad: the major triads on C to B, then the minor triads on C to B."""
for _root in range(12):
    TRIADS[_root, [_root, (_root + 4) % 12, (_root + 7) % 12]] = 1.0
    TRIADS[12 + _root, [_root, (_root + 3) % 12, (_root + 7) % 12]] = 1.0

CLEARLY = 1.05
"""Factor. A new chord must score more than this times the score of the current chord, so that it changes rarely."""
SEVENTH = 1.0
"""Factor. A seventh is added if its probability is at least this times that of the least likely chord tone."""
LEAST_SEVENTH = 0.12
"""Least probability of a seventh that is added."""


@dataclass(frozen=True, slots=True)
class Chord:
    """Holds the pitch classes of a chord, 0..11 with the root first, and its name."""

    classes: tuple[int, ...]
    name: str

    @property
    def root(self) -> int:
        return self.classes[0]


class Harmony:
    """Keeps the current chord. The chord changes only on beats."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the current chord: there is none until the next beat."""
        self.chord: Chord | None = None
        self._triad = -1

    def at(self, step: Step, ahead: Array) -> Chord | None:
        """Return the chord for `step`, a new one only on a beat. Returns None before the first beat.

        `ahead` [12] is the probability that each pitch class sounds in the next beat.
        """
        if step.is_beat:
            scores = TRIADS @ ahead
            best = int(np.argmax(scores))
            if self._triad < 0 or scores[best] > CLEARLY * scores[self._triad]:
                self._triad = best
            self.chord = chord_of(self._triad, ahead)
        return self.chord


def chord_of(triad: int, ahead: Array) -> Chord:
    """Return the chord of a triad (0 to 11 major, 12 to 23 minor), with a seventh if `ahead` [12] makes it likely."""
    root, minor = triad % 12, triad >= 12
    third, fifth = (root + (3 if minor else 4)) % 12, (root + 7) % 12
    classes = [root, third, fifth]
    sevenths = [(root + 10) % 12] if minor else [(root + 10) % 12, (root + 11) % 12]
    expected = ahead.tolist()
    likely = max(sevenths, key=expected.__getitem__)
    if expected[likely] >= SEVENTH * max(min(expected[root], expected[third], expected[fifth]), LEAST_SEVENTH):
        classes.append(likely)
    return _chord(tuple(classes))


@cache
def _chord(classes: tuple[int, ...]) -> Chord:
    return Chord(classes, label(classes, classes[0]))
