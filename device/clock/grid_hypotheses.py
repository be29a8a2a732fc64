"""Several hypotheses of the grid. Each has a phase, a step length, and a step for each of the last onsets.

Each hypothesis is a Kalman filter over phase and step length. `device.clock.grid` gives their probabilities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from device.clock.rhythm import Floats, Ints

HYPOTHESES = 20
"""Largest number of hypotheses that are kept."""
TIMING_S = 0.022
"""Standard deviation of an onset around its step, in seconds."""
DRIFT = np.array([0.0002, 0.006, 0.006])
"""Standard deviation of the relative change of the step length from one step to the next, by `bend`."""
TREND = np.array([0.0, 0.0022, -0.0022])
"""Relative change of the step length from one step to the next, by `bend`.

The entries mean: the tempo is kept, gets slower, gets faster.
"""
BEGINS = np.array([4, 4, 2, 1])
"""A group of triplets begins on every 4th, 4th, 2nd or 1st step, by `triplets`."""
GROUP = np.array([4.0, 4.0, 2.0, 1.5])
"""Length in steps of a group of three onsets, by `triplets`.

1 is triplets of eighths, 2 is triplets of sixteenths, 3 is onsets half a step apart.
"""
DRIFT_STEPS = 8
"""Number of steps after an onset during which the tempo can drift. Without onsets it stays constant after that."""
SAME_PHASE, SAME_TEMPO = 0.15, 0.01
"""Hypotheses that differ by less are merged: phase in steps, and step length as a relative difference."""
NEGLIGIBLE = 1e-6
"""A hypothesis is dropped if its weight is below this share of the largest weight."""
LEAST_STEP_S = 0.03
"""Shortest possible step in seconds: a sixteenth at 500 beats a minute."""


@dataclass(frozen=True)
class Hypotheses:
    """Several hypotheses. Every array is [hypotheses] and has the values of `Line` or the meaning of the onsets.

    `onset` and `before` are the steps of the last two onsets. `place` is the intended place of the last onset in steps;
    it need not be a whole number. `triplets` is the kind of triplets that are played, an index of `GROUP`; 0 means no
    triplets. `bend` is the change of the tempo, an index of `TREND`. `weight` is the probability.
    """

    index: Ints
    time_s: Floats
    step_s: Floats
    tt: Floats
    tp: Floats
    pp: Floats
    onset: Ints
    before: Ints
    place: Floats
    triplets: Ints
    bend: Ints
    weight: Floats

    def at(self, index: npt.NDArray[Any] | int) -> Floats:
        """Time of step `index` in seconds, in each hypothesis."""
        return np.asarray(self.time_s + (index - self.index) * self.step_s)

    def chosen(self, which: npt.NDArray[Any]) -> Hypotheses:
        """Return the hypotheses that `which` selects. `which` is an array of indices or a boolean mask."""
        return Hypotheses(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def updated(
    old: Hypotheses, onset_s: float, place: Floats, step: Ints, triplets: Ints, bend: Ints, share: Floats
) -> Hypotheses:
    """Each hypothesis after an onset that was meant for each `place` and is counted on `step`, [places, hypotheses].

    `share` [places, hypotheses] is the prior probability of the place. `bend` [places, 1] is the change of the tempo.
    The formulas are one prediction and one update of a Kalman filter with the state (time, step length).
    """
    n = np.maximum(step - old.index, 0)
    m = np.minimum(n, DRIFT_STEPS)
    bent = (DRIFT[bend] * old.step_s) ** 2 * m
    index = old.index + n
    time_s = old.time_s + old.step_s * (n + TREND[bend] * (n - m / 2) * m)
    step_s = old.step_s * (1 + TREND[bend] * m)
    tt = old.tt + 2 * n * old.tp + n * n * (old.pp + bent / 3)
    tp = old.tp + n * (old.pp + bent / 2)
    pp = old.pp + bent
    on = place - index
    gain_t, gain_p = tt + on * tp, tp + on * pp
    variance = gain_t + on * gain_p + TIMING_S**2
    error_s = onset_s - time_s - on * step_s
    density = np.exp(-0.5 * error_s**2 / variance) / np.sqrt(2 * math.pi * variance)
    gain_t, gain_p = gain_t / variance, gain_p / variance
    step_s = step_s + gain_p * error_s
    return Hypotheses(
        index=index,
        time_s=time_s + gain_t * error_s,
        step_s=step_s,
        tt=tt - gain_t * gain_t * variance,
        tp=tp - gain_t * gain_p * variance,
        pp=pp - gain_p * gain_p * variance,
        onset=np.maximum(step, old.onset),
        before=np.where(step > old.onset, old.onset, old.before),
        place=place,
        triplets=triplets,
        bend=np.broadcast_to(bend, place.shape),
        weight=np.where(step_s > LEAST_STEP_S, old.weight * share * density, 0.0),
    )


def joined(split: Hypotheses, stray: Hypotheses) -> Hypotheses:
    """All hypotheses in one row: `split` [places, hypotheses] flattened, then `stray` [hypotheses]."""
    return Hypotheses(
        *(np.concatenate([getattr(split, name).ravel(), getattr(stray, name)]) for name in split.__dataclass_fields__)
    )


def pruned(hypotheses: Hypotheses, total: float) -> Hypotheses:
    """Return the most probable hypotheses. Those with nearly the same phase and tempo are merged: weights are added.

    `total` is the sum of all weights before the pruning.
    """
    order = np.argsort(-hypotheses.weight)[: 3 * HYPOTHESES]
    order = order[hypotheses.weight[order] > NEGLIGIBLE * hypotheses.weight[order[0]]]
    r = hypotheses.chosen(order)
    weight = r.weight / total
    there = r.time_s + (r.index[:, None] - r.index) * r.step_s
    kind = (r.onset * len(TREND) + r.bend) * len(GROUP) + r.triplets
    alike = kind[:, None] == kind
    alike &= np.abs(there - r.time_s[:, None]) < SAME_PHASE * r.step_s[:, None]
    alike &= np.abs(r.step_s - r.step_s[:, None]) < SAME_TEMPO * r.step_s[:, None]
    alive = np.ones(len(order), bool)
    kept: list[int] = []
    for i in range(len(order)):
        if alive[i] and len(kept) < HYPOTHESES:
            same = alike[i] & alive
            weight[i] = weight[same].sum()
            alive &= ~same
            kept.append(i)
    weight = weight[kept]
    return replace(r.chosen(np.array(kept)), weight=weight / weight.sum())
