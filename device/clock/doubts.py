"""Finds why the clock that follows the player is unsure of its beat, so that its `lock` is low."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from device.events import Doubt

FEW_ONSETS = 12
"""Without a count-in, the reason for a low lock before this number of onsets is that there are few."""
SILENT_BEATS = 4.0
"""Beats without an onset after which the silence is the reason."""
RIVAL = 0.1
"""Least share of the weight of hypotheses that disagree, for them to be the reason."""
OTHER_TEMPO = 0.2
"""A tempo that differs by this share contradicts the count-in."""

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Rivals:
    """The weights of the hypotheses that disagree with the leading ones, by what they say instead."""

    def __init__(self) -> None:
        self.tempo = self.place = 0.0

    def look(self, weight: Floats, alike: Bools, same_tempo: Bools) -> None:
        """Take the weights [n] of all hypotheses, and whether [n] each one agrees, and agrees on the tempo."""
        of_tempo, agreed = float(weight @ same_tempo), float(weight @ alike)
        self.tempo, self.place = 1.0 - of_tempo, of_tempo - agreed


def doubt_of(rivals: Rivals, silent_beats: float, onsets: int, counted_s: float | None, beat_s: float) -> Doubt:
    """Return why the lock is low.

    `silent_beats` is the number of beats since the last onset, `onsets` the number of onsets so far. `counted_s` is the
    beat of the count-in in seconds, None without one, and `beat_s` the present beat.
    """
    if silent_beats >= SILENT_BEATS:
        return Doubt("silence", math.floor(silent_beats))
    if counted_s is None and onsets < FEW_ONSETS:
        return Doubt("few onsets")
    if counted_s is not None and abs(math.log(beat_s / counted_s)) > OTHER_TEMPO:
        return Doubt("count-in")
    if max(rivals.tempo, rivals.place) >= RIVAL:
        return Doubt("other tempo" if rivals.tempo > rivals.place else "other place")
    return Doubt("uneven")
