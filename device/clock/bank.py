"""Keeps the clock's hypotheses as arrays: where in the bar the last onset lies, and how long a quarter note is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device.clock.manners import DRIFT, MANNERS, PLACE_VAR, RETURN, TEMPO_VAR, drifted
from device.clock.rhythm import Floats, Ints

TIME, QUARTER_S, USUAL_S, TT, TP, PP, WEIGHT = range(7)
"""Indexes of the rows of `HypothesisBank.real`."""
TICK, KIND, MANNER, GAP, GAP2, GAP3, WAS_STRAY = range(7)
"""Indexes of the rows of `HypothesisBank.whole`."""
LONGEST = 4.0
"""In a gap longer than this many quarter notes, the uncertainty of the tempo grows no further."""
SAME_TEMPO = 0.025
"""Two hypotheses with the same place become one if their tempi differ by less than about this share."""


@dataclass
class HypothesisBank:
    """Keeps n hypotheses about the last onset. Each one is a column of two arrays.

    `real` [7, n] has the time of the last onset in seconds, the length of a quarter note now and usually in seconds,
    the covariance of time and quarter (time-time, time-quarter, quarter-quarter) in s², and the weight (probability).
    `whole` [7, n] has the place of the last onset in ticks of the bar, the kind of rhythm, the manner of playing, the
    last three gaps between onsets in ticks, and 1 if the last onset was on no place of the grid (else 0).
    """

    real: Floats
    whole: Ints

    @classmethod
    def new(
        cls,
        time_s: float,
        quarter_s: Floats,
        tick: Ints,
        manner: Ints,
        weight: Floats,
        variance: tuple[float, float],
        gap: int,
    ) -> HypothesisBank:
        """Return a bank of n hypotheses about an onset at `time_s` seconds. Each array argument has n values.

        `variance` has the variance of the time in s², and that of the quarter note relative to its square. All gaps
        before the onset are set to `gap` ticks.
        """
        zero, n = np.zeros(len(tick)), len(tick)
        time_var, tempo_var = variance
        real = (zero + time_s, quarter_s, quarter_s, zero + time_var, zero, tempo_var * quarter_s**2, weight)
        whole = (tick, np.zeros(n, np.int64), manner, *np.full((3, n), gap), np.zeros(n, np.int64))
        return cls(np.array(real, np.float64), np.array(whole, np.int64))

    def __len__(self) -> int:
        return self.real.shape[1]

    def chosen(self, which: Ints) -> HypothesisBank:
        """Return a bank of the hypotheses with the indexes `which` [m], in this order.

        An index may come more than once.
        """
        return HypothesisBank(self.real.take(which, axis=1), self.whole.take(which, axis=1))

    def and_also(self, other: HypothesisBank) -> HypothesisBank:
        """Return a bank with the hypotheses of both banks, those of this one first."""
        return HypothesisBank(np.concatenate((self.real, other.real), 1), np.concatenate((self.whole, other.whole), 1))

    def ahead(self, quarters: Floats) -> tuple[Floats, Floats]:
        """Predict when places come that lie `quarters` [..., n] quarter notes after the last onset of each hypothesis.

        Return the times in seconds and their variances in s², both [..., n]. The tempo returns to the usual one
        exponentially.
        """
        time_s, quarter_s, usual_s, tt, tp, pp, _ = self.real
        manner = self.whole[MANNER]
        gain = (1 - np.exp(-RETURN * quarters)) / RETURN
        moved = TEMPO_VAR.take(manner) * (quarters * quarters / 3) + PLACE_VAR.take(manner)
        moved *= quarter_s * quarter_s * np.minimum(np.maximum(quarters, 0.0), LONGEST)
        mean_s = time_s + usual_s * quarters + (quarter_s - usual_s) * gain
        mean_s += DRIFT.take(manner) * quarter_s * drifted(quarters)
        return np.asarray(mean_s), tt + gain * (2 * tp + gain * pp) + moved

    def merged(self, negligible: float, most: int) -> HypothesisBank:
        """Return the likeliest `most` hypotheses, the one with the largest weight first. The weights sum to 1.

        Hypotheses that say nearly the same are joined before. Those with less than `negligible` times the greatest
        weight are dropped.
        """
        b = self.chosen(np.argsort(-self.real[WEIGHT])[: 2 * most])
        whole = b.whole
        key = (((whole[TICK] * 4 + whole[KIND]) * MANNERS + whole[MANNER]) * 2 + whole[WAS_STRAY]) * 1000
        key += np.rint(np.log(b.real[QUARTER_S]) * (1 / SAME_TEMPO)).astype(np.int64) + 400
        order = np.argsort(key, kind="stable")
        key = key.take(order)
        begins = np.concatenate(([0], np.flatnonzero(key[1:] != key[:-1]) + 1))
        weight = np.add.reduceat(b.real[WEIGHT].take(order), begins)
        top = np.argsort(-weight)[:most]
        weight = weight.take(top)
        some = int(np.searchsorted(-weight, -negligible * weight[0]))
        b = b.chosen(order.take(begins.take(top[:some])))
        b.real[WEIGHT] = weight[:some] * (1 / weight[:some].sum())
        return b
