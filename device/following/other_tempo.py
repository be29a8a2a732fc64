"""Makes hypotheses at another tempo: half, double, a third, three halves and so on of the likeliest one's tempo.

The clock that was given no tempo may count in the wrong note value. Its bank has then no hypothesis at the right tempo.
"""

from __future__ import annotations

import math

import numpy as np

from device.following.bank import GAP, GAP3, KIND, PP, QUARTER_S, TICK, TP, USUAL_S, WEIGHT, HypothesisBank
from device.following.next_onset import FARTHEST, SIXTEENTH, STRAIGHT
from device.following.rhythm import Floats, Ints

LEVELS = np.array([1 / 3, 1 / 2, 2 / 3, 3 / 2, 2.0, 3.0])
"""Lengths of a quarter note that the new hypotheses may have, as shares of that of the likeliest hypothesis."""
AWAY = 0.4
"""Hypotheses are made if the estimated tempo differs from that of the likeliest one by more than this, in octaves."""
SHARE = 0.05
"""Weight of all new hypotheses together, as a share of the weight of the likeliest one."""
HALF_AND_DOUBLE = np.array([0.5, 2.0])
TEMPO_SLIP = 1e-3
"""Weight of a copy of the likeliest hypothesis at half or double tempo, where no count-in gave the tempo."""


def half_and_double(b: HypothesisBank, bar: int) -> HypothesisBank:
    """Return copies at double and at half tempo of the likeliest hypothesis of `b`. `bar` is in ticks."""
    tick = int(b.whole[TICK, 0])
    new = _slower(b, HALF_AND_DOUBLE)
    new.whole[TICK] = 2 * tick % bar, tick // (2 * SIXTEENTH) * SIXTEENTH
    new.real[WEIGHT] *= TEMPO_SLIP
    return new


def near_tempo(b: HypothesisBank, quarter_s: float, beat: int) -> HypothesisBank | None:
    """Return hypotheses whose tempo is near an estimate, at all sixteenths of a felt beat.

    `quarter_s` is the estimated length of a quarter note in seconds, and `beat` that of a felt beat in ticks. The
    result is None if the likeliest hypothesis of `b` is near the estimate already.
    """
    ratio = quarter_s / float(b.real[QUARTER_S, 0])
    if abs(math.log2(ratio)) < AWAY:
        return None
    level = float(LEVELS[np.abs(np.log(LEVELS / ratio)).argmin()])
    places = np.arange(0, beat, SIXTEENTH)
    new = _slower(b, np.full(len(places), level))
    _put(new, places, level)
    new.real[WEIGHT] *= SHARE / len(places)
    return new


def at_place(b: HypothesisBank, factor: float, tick: int) -> HypothesisBank:
    """Return a copy of the likeliest hypothesis of `b`, its quarter note longer by `factor`, with the onset at `tick`.

    `tick` is a sixteenth of the bar.
    """
    new = _slower(b, np.array([factor]))
    _put(new, np.array([tick]), factor)
    return new


def _put(new: HypothesisBank, places: Ints, factor: float) -> None:
    """Set the places of the copies `new` [n] to `places` [n] in ticks, and divide the gaps before by `factor`."""
    new.whole[TICK], new.whole[KIND] = places, STRAIGHT
    gaps = np.rint(new.whole[GAP : GAP3 + 1] / (factor * SIXTEENTH)).astype(np.int64) * SIXTEENTH
    new.whole[GAP : GAP3 + 1] = np.clip(gaps, SIXTEENTH, FARTHEST)


def _slower(b: HypothesisBank, factors: Floats) -> HypothesisBank:
    """Return a copy of the likeliest hypothesis for each of `factors` [n], its quarter note longer by the factor."""
    new = b.chosen(np.zeros(len(factors), np.int64))
    new.real[QUARTER_S : USUAL_S + 1] *= factors
    new.real[TP] *= factors
    new.real[PP] *= factors**2
    return new
