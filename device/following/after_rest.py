"""Estimates, after a rest that ended off the beat, how likely it is that the clock's grid has slipped.

The player may have breathed or paused, so that all that follows is late. Or the rest is written so, and the player is
on time. A rest is more likely to be written if the music so far often had notes at the place where the rest ends.
"""

from __future__ import annotations

import math

import numpy as np

from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.rhythm import Floats, Ints

REST, UNSURE_ONSETS = 2.2, 4
"""Least length of a rest in beats, and the number of onsets after it for which the grid is in doubt."""
AFTER_REST = 2e-2
"""Weight of a copy of the likeliest hypothesis that puts the end of a rest on a beat."""
AFTER_WRITTEN_REST, WRITTEN = 2e-3, 0.2
"""The weight of such a copy if at least the share WRITTEN of the last onsets was at the rest's end in the beat."""


class AfterRest:
    """Remembers whether the grid is in doubt after a rest, and gives the weights of hypotheses with a moved grid."""

    def __init__(self, beat: int) -> None:
        """Start without a doubt. `beat` is the length of a felt beat in ticks."""
        self._beat = beat
        self._end_s, self._left, self._weight = -math.inf, 0, AFTER_REST

    @property
    def in_doubt(self) -> bool:
        """Whether the last onsets followed a rest that ended off the beat."""
        return self._left > 0

    def forget(self) -> None:
        """End the doubt, because a count-in has given the grid."""
        self._left = 0

    def hear(self, onset_s: float, gap_beats: float, tick: int | None, share: float) -> None:
        """Use an onset at `onset_s` seconds, `gap_beats` beats after the last onset (infinite if there was none).

        `tick` is its place in the bar in the likeliest hypothesis, or None if it is on no place. `share` is the share
        of the last onsets that had this place in the beat.
        """
        if not REST <= gap_beats < math.inf:
            self._left -= 1
            return
        self._end_s = onset_s
        self._left = 0 if tick is not None and tick % self._beat == 0 else UNSURE_ONSETS
        self._weight = AFTER_WRITTEN_REST if tick is not None and share >= WRITTEN else AFTER_REST

    def least_weights(self, onset_s: float, tick: int, quarter_s: float, shift: Ints) -> Floats:
        """Return the least weights [n] for copies of a hypothesis whose grid is moved by `shift` [n] ticks.

        A weight is above 0 only while the grid is in doubt, and if the copy puts the end of the rest on a beat. `tick`
        is the place of the last onset, at `onset_s`, in the hypothesis, and `quarter_s` its quarter note in seconds.
        """
        if not self.in_doubt:
            return np.zeros(len(shift))
        sixteenths = round((onset_s - self._end_s) * QUARTER / (SIXTEENTH * quarter_s))
        return np.where((tick - SIXTEENTH * sixteenths + shift) % self._beat == 0, self._weight, 0.0)
