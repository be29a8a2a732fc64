"""Scores the interval and the chord of an onset by its place in the bar, with tables counted from scores.

The clock uses an onset as soon as its first key is heard. The other keys of a chord come some milliseconds later. Its
top key and the number of its keys tell the place better than the first key alone, so they correct the score when the
next onset comes.
"""

from __future__ import annotations

import numpy as np

from device.following.bank import GAP, TICK, WAS_STRAY, WEIGHT, HypothesisBank
from device.following.heard_onsets import Classes
from device.following.next_onset import GAP_TO_CLASS, on_ticks
from device.following.rhythm import PREVIOUS_CLASSES, Floats, Rhythm

FREE, STEADY = 0.25, 0.5
"""Exponent of both tables, and the same for a steady player who did not count in. They are below 1 because successive
onsets are not independent. In strict time the rhythm tells less than these tables, because it fits many places."""
SURELY = 24
"""A player is steady for this score only after so many onsets: at first the clock takes every player for steady."""


class OnsetScore:
    """Gives the score of each onset, and corrects the weights of a bank when all keys of the onset are known."""

    def __init__(self, rhythm: Rhythm, bar: int) -> None:
        """Prepare the tables. `rhythm` has a row for each sixteenth of a bar of `bar` ticks."""
        self._tables = [
            (on_ticks(rhythm.interval**power, bar).copy(), on_ticks(rhythm.chord**power, bar).copy())
            for power in (FREE, STEADY)
        ]
        self._onsets, self._chosen = 0, self._tables[0]
        self._last: tuple[Classes, Floats] | None = None

    def of(self, classes: Classes, steady: bool) -> Floats:
        """Return the score of a new onset [bar, PREVIOUS_CLASSES] at each tick, by the class of the gap before it.

        `classes` are those of its first key. `steady`: the player keeps an even tempo and did not count in.
        """
        self._onsets += 1
        self._chosen = self._tables[steady and self._onsets > SURELY]
        self._last = None
        return self._of(classes)

    def keep(self, classes: Classes, score: Floats) -> None:
        """Note that the weights of the bank hold the score of an onset with these classes of its first key."""
        self._last = classes, score

    def correct(self, bank: HypothesisBank, whole: Classes) -> None:
        """Change the weights of `bank` for its last onset: `whole` are the classes of all its keys.

        Hypotheses that have the onset on no place keep their weights. So do all if the score of its first key was not
        kept.
        """
        if self._last is None or whole == self._last[0]:
            return
        at = bank.whole[TICK] * PREVIOUS_CLASSES + GAP_TO_CLASS.take(bank.whole[GAP])
        ratio = self._of(whole).take(at) / self._last[1].take(at)
        bank.real[WEIGHT] *= np.where(bank.whole[WAS_STRAY], 1.0, ratio)

    def _of(self, classes: Classes) -> Floats:
        melody, harmony = self._chosen
        return np.asarray(melody[classes.interval] * harmony[classes.chord])
