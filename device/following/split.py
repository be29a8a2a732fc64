"""Splits hypotheses at an onset: each pair of hypothesis and place is tried in every manner of playing, and as late.

The onset corrects the time and the tempo of each one as in a Kalman filter. Arrays are written in place where this
saves a call of numpy: the calls cost more than the numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from device.following.bank import (
    GAP,
    GAP2,
    GAP3,
    KIND,
    LONGEST,
    MANNER,
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


def split(
    b: HypothesisBank,
    target: Ints,
    prior: Floats,
    onset_s: float,
    table: Floats,
    bar_and_beat: tuple[int, int],
    tempo: ExpectedTempo,
    negligible: float,
    most: int,
) -> HypothesisBank:
    """Return the likely pairs of hypothesis and place [m], in every manner of playing, corrected by the onset.

    `b` [m] has the hypothesis of each pair; its places are changed. `target` [m] is the place in ticks, counted from
    the bar of the last onset, and `prior` [m] its probability. The onset came at `onset_s` seconds. `table` is that of
    `Ways`. The lengths of the bar and the felt beat are in ticks. What has less than `negligible` times the greatest
    weight is left out, and so is all but about the likeliest `most`.
    """
    bar, beat = bar_and_beat
    time_s, quarter_s, usual_s, tt, tp, pp, weight = b.real
    manner, whole = b.whole[MANNER], b.whole
    ticks, tick = target - whole[TICK], target % bar
    m = len(ticks)
    likely, error, variance, total = of_ways = np.empty((4, MANNERS + 1, m))
    usual_now, ahead_s, tp_now, pp_now, moved, quarters = of_pairs = np.empty((6, m))
    np.multiply(ticks, 1 / QUARTER, out=quarters)
    square = quarter_s * quarter_s
    np.minimum(quarters, LONGEST, out=moved)
    moved *= square
    # the prediction, as if the tempo had not changed
    decay = np.exp(-RETURN * quarters)
    gain = 1 - decay
    gain /= RETURN
    pull, drift = quarter_s - usual_s, DRIFT.take(manner)
    early = onset_s - time_s
    early -= usual_s * quarters
    early -= pull * gain
    early -= drift * quarter_s * drifted(quarters)
    # the tempo and the place have moved as the manner says
    tempo_var, place, jitter, chance = table.take(manner + (tick % beat == 0) * MANNERS, axis=2)
    np.multiply(tempo_var, moved * quarters * quarters * (1 / 3), out=variance)
    place *= moved
    variance += place
    gain_pp = gain * pp
    variance += tt + gain * (2 * tp + gain_pp)
    variance[MANNERS] += LATE_SD**2 * square
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
    # the correction by the onset, for those that are likely
    flat = likely.ravel()
    some = (flat > negligible * flat.max()).nonzero()[0]
    if len(some) > most:
        some = some.take((-flat.take(some)).argpartition(most)[:most])
    way, pair = some // m, some % m
    np.multiply(usual_s, 1 + drift * np.minimum(quarters, DRIFTS), out=usual_now)
    np.multiply(pull, decay, out=ahead_s)
    ahead_s += usual_now
    np.add(tp, gain_pp, out=tp_now)
    tp_now *= decay
    np.multiply(decay, decay, out=pp_now)
    pp_now *= pp
    whole[GAP2 : GAP3 + 1] = whole[GAP : GAP2 + 1].copy()
    np.minimum(ticks, FARTHEST, out=whole[GAP])
    whole[TICK], whole[WAS_STRAY] = tick, 0
    whole[KIND] = kind_after(whole[KIND], tick, ticks)
    out = HypothesisBank(np.empty((len(b.real), len(some))), whole.take(pair, axis=1))
    manner = out.whole[MANNER]
    np.copyto(manner, way, where=way != MANNERS)
    usual_s, ahead_s, tp, pp, moved, quarters = of_pairs.take(pair, axis=1)
    weight, error, variance, total = of_ways.reshape(4, -1).take(some, axis=1)
    tempo_var, usual = TEMPO_AND_USUAL.take(manner, axis=1)
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
    return out
