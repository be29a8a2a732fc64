"""Which chord holds: chosen on the beat, kept until another is clearly better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.left_hand.chord_names import NO_CHORD, label

Array = npt.NDArray[np.float32]

TRIADS = np.zeros((24, 12), np.float32)
"""The major triads on C..B, then the minor ones."""
for _root in range(12):
    TRIADS[_root, [_root, (_root + 4) % 12, (_root + 7) % 12]] = 1.0
    TRIADS[12 + _root, [_root, (_root + 3) % 12, (_root + 7) % 12]] = 1.0

CLEARLY = 1.05
"""A new chord must score this much better than the one that holds."""
SEVENTH = 1.0
"""A seventh joins when it is this likely, compared with its chord's least likely tone."""


@dataclass(frozen=True, slots=True)
class Chord:
    """Pitch classes that belong, root first, and the name."""

    classes: tuple[int, ...]
    name: str

    @property
    def root(self) -> int:
        return self.classes[0]


class Harmony:
    """The chord that holds; it changes on beats alone."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """No chord holds."""
        self.chord: Chord | None = None
        self._triad = -1

    def at(self, step: Step, ahead: Array) -> Chord | None:
        """The chord for this step; `ahead` [12] says how likely each pitch class sounds during the coming beat."""
        if step.is_beat:
            scores = TRIADS @ ahead
            best = int(np.argmax(scores))
            if self._triad < 0 or scores[best] > CLEARLY * scores[self._triad]:
                self._triad = best
            self.chord = chord_of(self._triad, ahead)
        return self.chord


def chord_of(triad: int, ahead: Array) -> Chord:
    """A triad (0 to 11 major, 12 to 23 minor), with its seventh if `ahead` [12] makes that likely."""
    root, minor = triad % 12, triad >= 12
    third, fifth = (root + (3 if minor else 4)) % 12, (root + 7) % 12
    classes = [root, third, fifth]
    sevenths = [(root + 10) % 12] if minor else [(root + 10) % 12, (root + 11) % 12]
    likely = max(sevenths, key=lambda pc: float(ahead[pc]))
    if ahead[likely] >= SEVENTH * max(float(ahead[classes].min()), 0.12):
        classes.append(likely)
    return Chord(tuple(classes), label(classes, root) if classes else NO_CHORD)
