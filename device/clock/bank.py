"""The hypotheses of the clock as arrays: where the last onset lies in the bar, and how long a quarter is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from device.clock.manners import DRIFT, MANNERS, PLACE_VAR, RETURN, TEMPO_VAR, drifted
from device.clock.rhythm import Floats, Ints

TIME, QUARTER_S, USUAL_S, TT, TP, PP, WEIGHT = range(7)
"""Rows of `HypothesisBank.real`."""
TICK, KIND, MANNER, GAP, GAP2, GAP3, WAS_STRAY = range(7)
"""Rows of `HypothesisBank.whole`."""
LONGEST = 4.0
"""Quarters of a gap after which the tempo is not less certain than before."""
SAME_TEMPO = 0.025
"""Hypotheses of one place whose tempi differ by less, relatively, become one."""


@dataclass
class HypothesisBank:
    """Hypotheses, one a column of two arrays.

    `real` [7, n] has the time of the last onset in seconds, the length of a quarter now and usually in seconds, the
    covariance of time and quarter (time-time, time-quarter, quarter-quarter) in s², and the weight. `whole` [7, n] has
    the place of the last onset in ticks of the bar, the kind of rhythm, the manner of playing, the last three gaps in
    ticks, and 1 if the last onset was on no place.
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
        """Hypotheses [n] about an onset at `time_s`. `variance` is that of the time in s², and of the quarter relative
        to its square; all gaps before are `gap` ticks."""
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
        """Both banks in one."""
        return HypothesisBank(np.concatenate((self.real, other.real), 1), np.concatenate((self.whole, other.whole), 1))

    def ahead(self, quarters: Floats) -> tuple[Floats, Floats]:
        """Time in seconds, and its variance in s², of places so many quarters after the last onset [..., n].

        The tempo returns to the usual one exponentially.
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
        """The likeliest `most` hypotheses, by weight. Those that say nearly the same are joined before.

        Hypotheses with less than `negligible` times the greatest weight are dropped. The weights then sum to 1.
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
