"""Keeps the clock's hypotheses as arrays: where in the bar the last onset lies, and how long a quarter note is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from device.following.manners import DRIFT, MANNERS, PLACE_VAR, RETURN, TEMPO_VAR, drifted
from device.following.rhythm import Floats, Ints

TIME, QUARTER_S, USUAL_S, TT, TP, PP, WEIGHT = range(7)
"""Indexes of the rows of `HypothesisBank.real`."""
TICK, KIND, MANNER, GAP, GAP2, GAP3, WAS_STRAY = range(7)
"""Indexes of the rows of `HypothesisBank.whole`."""
LONGEST = 4.0
"""In a gap longer than this many quarter notes, the uncertainty of the tempo grows no further."""
KEPT = 48
"""Largest number of hypotheses that are kept after an onset."""
NEGLIGIBLE = 1e-5
"""A hypothesis is dropped if its weight is less than this share of the greatest weight."""
SAME_TEMPO = 0.025
"""Two hypotheses with the same place become one if their tempi differ by less than about this share."""
SAME = np.array([4 * MANNERS * 2, MANNERS * 2, 2, 0, 0, 0, 1]) * 1000
"""Factors of the rows of `HypothesisBank.whole` in a number. Hypotheses share it if tick, kind, manner and stray agree.

The tempo is added to it. Rounded as in `merged`, the tempo is always between -400 and 600.
"""
BY_MANNER = np.array((TEMPO_VAR, PLACE_VAR, DRIFT))
"""Variance of the tempo, variance of the place, and drift, by manner [3, MANNERS]."""


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

    def reweighed(self, weight: Floats) -> HypothesisBank:
        """Return a bank with the weights `weight` [n] in place of the present ones, the greatest first."""
        order = np.negative(weight).argsort(kind="stable")
        bank = self.chosen(order)
        weight.take(order, out=bank.real[WEIGHT])
        return bank

    def ahead(self, quarters: Floats) -> tuple[Floats, Floats]:
        """Predict when places come that lie `quarters` [..., n] quarter notes after the last onset of each hypothesis.

        Return the times in seconds and their variances in s², both [..., n]. The tempo returns to the usual one
        exponentially.
        """
        time_s, quarter_s, usual_s = self.real[:TT]
        tempo_var, place_var, drift = BY_MANNER.take(self.whole[MANNER], axis=1)
        gain = np.exp(-RETURN * quarters)
        np.subtract(1, gain, out=gain)
        gain /= RETURN
        moved = quarters * quarters
        moved /= 3
        moved *= tempo_var
        moved += place_var
        longest = np.maximum(quarters, 0.0)
        np.minimum(longest, LONGEST, out=longest)
        longest *= quarter_s * quarter_s
        moved *= longest
        mean_s = usual_s * quarters
        mean_s += time_s
        mean_s += (quarter_s - usual_s) * gain
        mean_s += drift * quarter_s * drifted(quarters)
        return mean_s, self._variance(gain, moved)

    def variance_ahead(self, quarters: float) -> Floats:
        """Return the variances [n] in s² of `ahead` for the place `quarters` quarter notes after the last onset."""
        quarter_s = self.real[QUARTER_S]
        gain, longest, by_manner = _moved_ahead(quarters)
        moved = by_manner.take(self.whole[MANNER])
        moved *= longest * (quarter_s * quarter_s)
        return self._variance(gain, moved)

    def _variance(self, gain: Floats | float, moved: Floats) -> Floats:
        """Return the variances [..., n] in s² of the times of places ahead.

        `gain` [..., n] is the change of a time for each second by which the quarter note is longer. `moved` [..., n] is
        the variance in s² that the changes of tempo and place until then add.
        """
        tt, tp, pp = self.real[TT:WEIGHT]
        variance = gain * pp
        variance += 2 * tp
        variance *= gain
        variance += tt
        variance += moved
        return np.asarray(variance)

    def merged(self) -> HypothesisBank:
        """Return the likeliest KEPT hypotheses, the one with the largest weight first. The weights sum to 1.

        Hypotheses that say nearly the same are joined before. Those with less than NEGLIGIBLE times the greatest weight
        are dropped.
        """
        key = np.rint(np.log(self.real[QUARTER_S]) * (1 / SAME_TEMPO)).astype(np.int64)
        key += SAME @ self.whole
        likeliest = (-self.real[WEIGHT]).argsort()[: 2 * KEPT]
        order = likeliest.take(key.take(likeliest).argsort(kind="stable"))
        key = key.take(order)
        is_new = np.ones(len(key), np.bool_)
        np.not_equal(key[1:], key[:-1], out=is_new[1:])
        begins = is_new.nonzero()[0]
        # weights below 0 are in rising order, the likeliest hypothesis first
        minus = -np.add.reduceat(self.real[WEIGHT].take(order), begins)
        top = minus.argsort()[:KEPT]
        minus = minus.take(top)
        minus = minus[: minus.searchsorted(NEGLIGIBLE * minus[0])]
        b = self.chosen(order.take(begins.take(top[: len(minus)])))
        np.multiply(minus, 1 / minus.sum(), out=b.real[WEIGHT])
        return b


@cache
def _moved_ahead(quarters: float) -> tuple[float, float, Floats]:
    """Return the factors of `HypothesisBank.variance_ahead`: of the tempo, of the quarter, and by manner [MANNERS]."""
    gain = (1 - float(np.exp(-RETURN * quarters))) / RETURN
    return gain, min(max(quarters, 0.0), LONGEST), quarters * quarters / 3 * TEMPO_VAR + PLACE_VAR
