"""The doubt after a rest: the grid may have slipped if the rest ended off the beat.

The player may have breathed or paused, so that all that follows is late. Or the rest is written so, and the player is
on time. A rest is more likely to be written if the music so far often had notes at the place where the rest ends.
"""

from __future__ import annotations

import math

import numpy as np

from device.clock.next_onset import QUARTER, SIXTEENTH
from device.clock.rhythm import Floats, Ints

REST, UNSURE_ONSETS = 2.2, 4
"""A rest has so many beats or more, and the grid is in doubt for so many onsets after it."""
AFTER_REST = 2e-2
"""Weight of a copy of the likeliest hypothesis that puts the end of a rest on a beat."""
AFTER_WRITTEN_REST, WRITTEN = 2e-3, 0.2
"""The same if at least this share of the last onsets had the place in the beat at which the rest ends."""


class AfterRest:
    """Whether the grid is in doubt after a rest, and how likely each slip is."""

    def __init__(self, beat: int) -> None:
        """`beat` is the felt beat in ticks."""
        self._beat = beat
        self._end_s, self._left, self._weight = -math.inf, 0, AFTER_REST

    @property
    def in_doubt(self) -> bool:
        """Whether the last onsets followed a rest that ended off the beat."""
        return self._left > 0

    def forget(self) -> None:
        """A count-in has given the grid."""
        self._left = 0

    def hear(self, onset_s: float, gap_beats: float, tick: int | None, share: float) -> None:
        """Take in an onset, so many beats after the last one; infinite if there was none.

        `tick` is its place in the bar by the likeliest hypothesis, or None if it is on no place. `share` is the share
        of the last onsets that had this place in the beat.
        """
        if not REST <= gap_beats < math.inf:
            self._left -= 1
            return
        self._end_s = onset_s
        self._left = 0 if tick is not None and tick % self._beat == 0 else UNSURE_ONSETS
        self._weight = AFTER_WRITTEN_REST if tick is not None and share >= WRITTEN else AFTER_REST

    def least_weights(self, onset_s: float, tick: int, quarter_s: float, shift: Ints) -> Floats:
        """Return the least weights [n] of copies of a hypothesis whose grid is `shift` [n] ticks later.

        `tick` is the place of the last onset by the hypothesis, and `quarter_s` its quarter in seconds.
        """
        if not self.in_doubt:
            return np.zeros(len(shift))
        sixteenths = round((onset_s - self._end_s) * QUARTER / (SIXTEENTH * quarter_s))
        return np.where((tick - SIXTEENTH * sixteenths + shift) % self._beat == 0, self._weight, 0.0)
