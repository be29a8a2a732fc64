"""Finds why the clock that follows the player is unsure of its beat, so that its `lock` is low."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from device.events import Doubt

FEW_ONSETS = 12
"""Without a count-in, a lock that is low before this number of onsets is explained by too few onsets."""
SILENT_BEATS = 4.0
"""After this many beats without an onset, a low lock is explained by the silence."""
RIVAL = 0.1
"""Hypotheses that disagree are the reason for a low lock if they have at least this share of the weight."""
OTHER_TEMPO = 0.2
"""A tempo that differs by this share contradicts the count-in."""

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Rivals:
    """Holds the weight of the hypotheses that disagree with the leading ones."""

    def __init__(self) -> None:
        self._last: tuple[Floats, Bools, Bools] | None = None

    def look(self, weight: Floats, alike: Bools, same_tempo: Bools) -> None:
        """Keep all n hypotheses for `tempo` and `place`. These are computed only if the lock is low.

        `weight` [n] has their weights. `alike` [n] says whether each one agrees, and `same_tempo` [n] whether its tempo
        agrees.
        """
        self._last = weight, alike, same_tempo

    @property
    def tempo(self) -> float:
        """Return the weight of the hypotheses with another tempo."""
        if self._last is None:
            return 0.0
        weight, _, same_tempo = self._last
        return 1.0 - float(weight @ same_tempo)

    @property
    def place(self) -> float:
        """Return the weight of the hypotheses with the same tempo and another place."""
        if self._last is None:
            return 0.0
        weight, alike, same_tempo = self._last
        return float(weight @ same_tempo) - float(weight @ alike)


def doubt_of(rivals: Rivals, silent_beats: float, onsets: int, counted_s: float | None, quarter_s: float) -> Doubt:
    """Return the reason why the lock is low.

    `silent_beats` is the number of beats since the last onset, and `onsets` the number of onsets so far. `counted_s` is
    a quarter note of the count-in in seconds, or None without a count-in. `quarter_s` is one now, in seconds.
    """
    if silent_beats >= SILENT_BEATS:
        return Doubt("silence", math.floor(silent_beats))
    if counted_s is None and onsets < FEW_ONSETS:
        return Doubt("few onsets")
    if counted_s is not None and abs(math.log(quarter_s / counted_s)) > OTHER_TEMPO:
        return Doubt("count-in")
    if max(rivals.tempo, rivals.place) >= RIVAL:
        return Doubt("other tempo" if rivals.tempo > rivals.place else "other place")
    return Doubt("uneven")
