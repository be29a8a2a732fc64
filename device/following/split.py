"""Splits hypotheses at an onset: each pair of hypothesis and place is tried in every manner of playing, and as late.

The onset corrects the time and the tempo of each one as in a Kalman filter. Arrays are written in place where this
saves a call of numpy: the calls cost more than the numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from device.following.bank import (
    GAP,
    GAP2,
    GAP3,
    KEPT,
    KIND,
    LONGEST,
    MANNER,
    NEGLIGIBLE,
    PP,
    QUARTER_S,
    TICK,
    TIME,
    TP,
    TT,
    USUAL_S,
    WAS_STRAY,
    WEIGHT,
    HypothesisBank,
)
from device.following.manners import (
    DRIFT,
    DRIFTS,
    LATE_MEAN,
    LATE_SD,
    MANNERS,
    RETURN,
    TEMPO_AND_USUAL,
    drifted,
)
from device.following.next_onset import FARTHEST, QUARTER, kind_after
from device.following.rhythm import Floats, Ints

MOST_WAYS = 2 * KEPT
"""About so many hypotheses are corrected at an onset. Some of them are then joined to others."""


@dataclass
class ExpectedTempo:
    """Says which tempi are likely: near `expected_s`, the expected length of a quarter note in seconds.

    `octaves` is the spread around it, and `pull` the exponent of this probability at each onset. Each quarter note is
    kept between `shortest_s` and `longest_s` seconds.
    """

    expected_s: float
    octaves: float
    pull: float
    shortest_s: float
    longest_s: float


class _Prediction(NamedTuple):
    """Predicts a place for each pair of hypothesis and place, each array [m], as if the tempo had not changed.

    `quarters` is the way from the last onset to the place, in quarter notes. `moved` is the factor of a manner's
    variances for that way, in s². `decay` is the share that is left of the distance between tempo and usual tempo.
    `gain` is the change of the place's time for each second by which the quarter note is longer. `pull` is the quarter
    note less the usual one in seconds, `drift` that of the manner.
    """

    quarters: Floats
    moved: Floats
    decay: Floats
    gain: Floats
    pull: Floats
    drift: Floats


def split(
    b: HypothesisBank,
    target: Ints,
    prior: Floats,
    onset_s: float,
    table: Floats,
    bar_and_beat: tuple[int, int],
    tempo: ExpectedTempo,
) -> HypothesisBank:
    """Return the likely pairs of hypothesis and place [m], in every manner of playing, corrected by the onset.

    `b` [m] has the hypothesis of each pair; its places are changed. `target` [m] is the place in ticks, counted from
    the bar of the last onset, and `prior` [m] its probability. The onset came at `onset_s` seconds. `table` is that of
    `Ways`. The lengths of the bar and the felt beat are in ticks. What has less than NEGLIGIBLE times the greatest
    weight is left out, and so is all but about the likeliest MOST_WAYS.
    """
    bar, beat = bar_and_beat
    ticks, tick = target - b.whole[TICK], target % bar
    to = _predicted(b, ticks)
    of_ways = _of_ways(b, to, table.take(b.whole[MANNER] + (tick % beat == 0) * MANNERS, axis=2), prior, onset_s)
    likely = of_ways[0].ravel()
    some = (likely > NEGLIGIBLE * likely.max()).nonzero()[0]
    if len(some) > MOST_WAYS:
        some = some.take((-likely.take(some)).argpartition(MOST_WAYS)[:MOST_WAYS])
    way, pair = some // len(ticks), some % len(ticks)
    _move_to(b.whole, tick, ticks)
    out = HypothesisBank(np.empty((len(b.real), len(some))), b.whole.take(pair, axis=1))
    np.copyto(out.whole[MANNER], way, where=way != MANNERS)
    _correct(out, _of_pairs(b, to).take(pair, axis=1), of_ways.reshape(4, -1).take(some, axis=1), onset_s, tempo)
    return out


def _predicted(b: HypothesisBank, ticks: Ints) -> _Prediction:
    """Return the prediction for places that lie `ticks` [m] after the last onset of each hypothesis."""
    _, quarter_s, usual_s = b.real[:TT]
    quarters, moved = np.empty((2, len(ticks)))
    np.multiply(ticks, 1 / QUARTER, out=quarters)
    np.minimum(quarters, LONGEST, out=moved)
    moved *= quarter_s * quarter_s
    decay = np.exp(-RETURN * quarters)
    gain = 1 - decay
    gain /= RETURN
    return _Prediction(quarters, moved, decay, gain, quarter_s - usual_s, DRIFT.take(b.whole[MANNER]))


def _of_ways(b: HypothesisBank, to: _Prediction, by_way: Floats, prior: Floats, onset_s: float) -> Floats:
    """Return four numbers for each way of playing and each pair [4, MANNERS + 1, m]. The last way is "late".

    They are the likelihood times the weight, the distance of the onset from its predicted time in seconds, and the
    variances in s² of the predicted time and of the onset. `by_way` [4, MANNERS + 1, m] has the rows of `Ways.table`.
    """
    time_s, quarter_s, usual_s, tt, tp, pp, weight = b.real
    likely, error, variance, total = out = np.empty((4, MANNERS + 1, len(prior)))
    early = onset_s - time_s
    early -= usual_s * to.quarters
    early -= to.pull * to.gain
    early -= to.drift * quarter_s * drifted(to.quarters)
    # the tempo and the place have moved as the manner says
    tempo_var, place, jitter, chance = by_way
    np.multiply(tempo_var, to.moved * to.quarters * to.quarters * (1 / 3), out=variance)
    place *= to.moved
    variance += place
    variance += tt + to.gain * (2 * tp + to.gain * pp)
    variance[MANNERS] += LATE_SD**2 * (quarter_s * quarter_s)
    np.add(variance, jitter, out=total)
    error[:] = early
    error[MANNERS] -= LATE_MEAN * quarter_s
    np.multiply(error, error, out=likely)
    likely /= total
    likely *= -0.5
    np.exp(likely, out=likely)
    likely /= np.sqrt(total)
    chance *= weight * prior * (2 * math.pi) ** -0.5
    likely *= chance
    return out


def _move_to(whole: Ints, tick: Ints, ticks: Ints) -> None:
    """Move the last onset in `whole` to the place `tick` [m] of the bar, which is `ticks` [m] later."""
    whole[GAP2 : GAP3 + 1] = whole[GAP : GAP2 + 1].copy()
    np.minimum(ticks, FARTHEST, out=whole[GAP])
    whole[TICK], whole[WAS_STRAY] = tick, 0
    whole[KIND] = kind_after(whole[KIND], tick, ticks)


def _of_pairs(b: HypothesisBank, to: _Prediction) -> Floats:
    """Return six numbers for each pair [6, m] that `_correct` needs.

    They are the usual quarter note and the predicted one in seconds, the covariance of time and quarter at the place
    (time-quarter, quarter-quarter) in s² if the tempo did not move, and `moved` and `quarters` of the prediction.
    """
    usual_s, tp, pp = b.real[USUAL_S], b.real[TP], b.real[PP]
    usual_now, ahead_s, tp_now, pp_now, moved, quarters = out = np.empty((6, len(tp)))
    np.multiply(usual_s, 1 + to.drift * np.minimum(to.quarters, DRIFTS), out=usual_now)
    np.multiply(to.pull, to.decay, out=ahead_s)
    ahead_s += usual_now
    np.add(tp, to.gain * pp, out=tp_now)
    tp_now *= to.decay
    np.multiply(to.decay, to.decay, out=pp_now)
    pp_now *= pp
    moved[:], quarters[:] = to.moved, to.quarters
    return out


def _correct(out: HypothesisBank, of_pairs: Floats, of_ways: Floats, onset_s: float, tempo: ExpectedTempo) -> None:
    """Fill `out.real` for n chosen pairs and ways: the Kalman filter's correction by the onset at `onset_s` seconds.

    `of_pairs` [6, n] and `of_ways` [4, n] are the chosen columns of what `_of_pairs` and `_of_ways` return.
    """
    usual_s, ahead_s, tp, pp, moved, quarters = of_pairs
    weight, error, variance, total = of_ways
    tempo_var, usual = TEMPO_AND_USUAL.take(out.whole[MANNER], axis=1)
    bent = tempo_var * moved
    tp += bent * quarters * 0.5
    left, gain_p = 1 - variance / total, tp / total
    now_s = ahead_s
    now_s += gain_p * error
    np.maximum(now_s, tempo.shortest_s, out=now_s)
    np.minimum(now_s, tempo.longest_s, out=now_s)
    octaves = np.log(now_s * (1 / tempo.expected_s))
    pp += bent
    np.subtract(pp, gain_p * tp, out=out.real[PP])
    np.subtract(onset_s, error * left, out=out.real[TIME])
    out.real[QUARTER_S] = now_s
    np.multiply(usual_s, (now_s / usual_s) ** (1 - np.exp(quarters * -usual)), out=out.real[USUAL_S])
    np.multiply(variance, left, out=out.real[TT])
    np.multiply(tp, left, out=out.real[TP])
    octaves *= octaves
    octaves *= -0.5 * tempo.pull / (math.log(2) * tempo.octaves) ** 2
    np.multiply(weight, np.exp(octaves), out=out.real[WEIGHT])
