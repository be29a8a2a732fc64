"""Keeps a second grid that goes on at the player's slow mean tempo, and offers it to the bank of hypotheses.

The bank follows every bend of the tempo. If a rhythm is unusual, a bend and a moved grid explain it best for a few
onsets, and the bank forgets the true grid. The steady grid does not bend: while the bank agrees with it, it follows
slowly (an alpha-beta filter, the form of a Kalman filter with constant gains). If the bank leaves it, it goes on alone
for some beats, and copies of it are put into the bank.

The clock believes it as far as this player has kept such grids: at each beat the grids of 1 to 16 beats ago are
compared with the bank's. The mean distance gives the spread of a Student t distribution with 3 degrees of freedom. A
distance that is likely in this distribution is a change of tempo, and an unlikely one is a slip of the bank. The onsets
must also lie near notes of the steady grid.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from typing import NamedTuple

import numpy as np

from device.following.bank import (
    KIND,
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
from device.following.manners import IN_TIME
from device.following.next_onset import QUARTER, SIXTEENTH

FIRST_BEATS, MORE_BEATS, SLOW_BEATS = 2.0, 0.25, 8.0
"""Time constant of the grid in beats: at first, its growth with each beat, and at last. A count-in gives the tempo only
roughly."""
OLD_BEATS = 8.0
"""The grid is offered only after it has agreed with the bank for so many beats."""
ALONE_BEATS, TOGETHER_BEATS = 16.0, 2.0
"""The grid goes on alone for so many beats. Then it starts again from the bank. Only so many beats of agreement without
a break end this count, so that a bank that is in doubt for long is believed too."""
AGREES, AGREES_SD = 0.06, 2.5
"""The bank agrees with the grid if it is nearer than AGREES beats, or than AGREES_SD times the spread."""
KEPT_BEATS, LEAST_FIT = 8.0, -0.7
"""The grid is kept if no rest of REST beats was in so many beats, and if the last onset's log likelihood ratio is above
LEAST_FIT. For two bars after a pause the bank may agree with itself in a wrong place."""
SPREAD_BEATS, USUAL_SPREAD = 4.0, 0.17
"""`SteadyGrid.spread` is the spread after SPREAD_BEATS beats. A spread of USUAL_SPREAD beats neither raises nor lowers
`lock`."""
HORIZONS = (1, 2, 4, 8, 16)
"""Ages, in beats, of the grids that are compared with the bank's."""
FIRST_SPREAD, FIRST_SEEN = 0.03, 4.0
"""Mean distance in beats at the age of one beat before the first comparison, and the number of comparisons that it
counts for. For greater ages it grows with the square root, as in a random walk."""
KEEPS = 0.97
"""Share of the old comparisons that is kept at one more comparison."""
FARTHEST_OFF = 0.25
"""A distance counts as at most so many beats, so that one slip of the bank does not widen the spread much."""
LEAST_SD, SD_OF_MEAN = 0.015, 1.25
"""Least spread in beats, and the ratio of a standard deviation to a mean distance (normal distribution)."""
SLIPS = 0.003
"""Probability density, for each beat of distance, with which the bank slips."""
T3_AT_ZERO = 0.3675
"""Greatest density of the Student t distribution with 3 degrees of freedom: 2 / (pi sqrt 3)."""
FIT_RATE, FIT_SD, FIT_MISSES, FIT_POWER = 0.2, 0.03, 0.15, 2.0
"""How well the onsets fit the grid's notes: weight of one onset in the running mean of the log likelihood ratio, spread
in beats, share of onsets that are anywhere, and exponent of the mean."""
REST, AFTER_REST = 1.9, 4.0
"""After a gap of REST beats that ends off the beat, a new distance is believed for AFTER_REST beats: the player may
have breathed. It is also believed if it comes with the onset that ends such a gap."""
THIS_ONSET = math.ulp(1.0)
"""Beats after a rest that ended on the beat: more than 0 at the onset that ends it, and less at the next onset."""
ON_BEAT = 0.12
"""A rest ends on the beat if its end is nearer to one than so many beats."""
OTHER_TEMPO, OTHER_BEATS = 0.2, 2.0
"""The player has another tempo if the bank's differs by more than so much (natural logarithm) for so many beats."""
OFFERED = 0.1
"""Greatest weight of a copy of the grid in the bank."""
BELIEVED = 1.0
"""The log weight of all other hypotheses falls by so much at each onset, if the grid is fully believed."""
LEAST_BELIEF = 1e-3
"""If the grid is believed less than this, the bank gets no copy of it."""
PLACE_SD, TEMPO_SD = 0.03, 0.01
"""Standard deviations of such a copy: of its place in beats, and of its tempo (relative)."""
UNITS = (6, 4, 4, 3)
"""Ticks between the notes of each kind of rhythm. Triplets also lie on sextuplets, which hold all eighths."""


class SteadyState(NamedTuple):
    """Whether the bank agrees with the grid, the bank's distance in beats, the running mean of the onsets' fit, beats
    alone, beats of agreement, beats since the last rest, and the grid's quarter note in seconds."""

    agrees: bool
    off: float
    fit: float
    alone: float
    agreed: float
    since_rest: float
    quarter_s: float


class SteadyGrid:
    """Holds the steady grid after a count-in: its place in the bar at the last onset, and its tempo."""

    def __init__(self, bar: int, beat: int, time_s: float, tick: int, quarter_s: float) -> None:
        """Start at `tick` of the bar at `time_s` seconds, with a quarter note of `quarter_s` seconds.

        The lengths of the bar and of the felt beat are in ticks.
        """
        self._bar, self._beat = bar, beat
        self._time_s, self._place, self._quarter_s = time_s, float(tick), quarter_s
        self._agreed = self._together = self._alone = self._since = self._after_rest = self._off = self._fit = 0.0
        """Beats of agreement in all and without a break, beats alone, beats since the last comparison, beats left after
        a rest; distance of the bank in beats; running mean of the log likelihood ratio of the onsets."""
        self._since_rest, self._fits, self.rest_ended_off = 0.0, True, False
        """Beats since the last rest, whether the last onset was near a note of the grid, and whether the last rest
        ended off the beat."""
        self._agrees, self._belief = True, 0.0
        self._grids: deque[tuple[float, float, float] | None] = deque(maxlen=HORIZONS[-1])
        """Time, place and quarter of the grid at the last beats; None where the bank did not agree."""
        self._sums = [FIRST_SPREAD * math.sqrt(beats) * FIRST_SEEN for beats in HORIZONS]
        self._seen = [FIRST_SEEN] * len(HORIZONS)

    @property
    def spread(self) -> float:
        """Return how far, in beats, this player's beats come from a grid that bent with the player until 4 beats ago.

        It is a standard deviation. It is small for a steady player, and large if the tempo bends or the bank slips.
        """
        return self._spread(SPREAD_BEATS)

    @property
    def is_kept(self) -> bool:
        """Return whether the bank agrees with the grid, has done so for some beats, and the last onset fits.

        It is False for some beats after each rest.
        """
        return self._agrees and self._fits and self._agreed > OLD_BEATS and self._since_rest > KEPT_BEATS

    @property
    def state(self) -> SteadyState:
        """Return how the grid and the bank stood to each other at the last onset."""
        return SteadyState(
            self._agrees, self._off, self._fit, self._alone, self._agreed, self._since_rest, self._quarter_s
        )

    def hear(self, bank: HypothesisBank, onset_s: float, limits_s: tuple[float, float]) -> None:
        """Compare the grid with the likeliest hypothesis of `bank`, which has heard the onset at `onset_s` seconds.

        `limits_s` are the shortest and longest allowed quarter note in seconds.
        """
        there, quarter_s = self._leader(bank, onset_s)
        ticks = QUARTER * (onset_s - self._time_s) / self._quarter_s
        beats = ticks / self._beat
        self._place, self._time_s = (self._place + ticks) % self._bar, onset_s
        off = self._off = self._away(self._place, there)
        sd = self._spread(max(2.0, self._alone + beats))
        agrees = abs(off) < max(AGREES, AGREES_SD * sd)
        self._look_for_rest(beats)
        self._look_at_fit(int(bank.whole[KIND, 0]))
        self._since += beats
        if self._since >= 1:
            self._compare(there)
        self._belief = 0.0
        if agrees:
            self._follow(off, beats)
        else:
            other = abs(math.log(quarter_s / self._quarter_s)) > OTHER_TEMPO and self._alone + beats > OTHER_BEATS
            breathed = self._after_rest > 0 and self._agrees
            self._alone += beats
            self._together = 0.0
            if self._alone > ALONE_BEATS or breathed or other:
                self._place, self._quarter_s, self._agreed, self._alone = there, quarter_s, 0.0, 0.0
            elif self._agreed > OLD_BEATS:
                tempo_changed = T3_AT_ZERO * (1 + (off / sd) ** 2 / 3) ** -2 / sd
                self._belief = min(1.0, SLIPS / tempo_changed) * min(1.0, math.exp(FIT_POWER * self._fit))
        self._agrees = agrees
        self._quarter_s = min(max(self._quarter_s, limits_s[0]), limits_s[1])
        if self._since >= 1:
            self._grids.extend([None] * min(HORIZONS[-1], int(self._since) - 1))
            self._grids.append((onset_s, self._place, self._quarter_s) if agrees else None)
            self._since = 0.0

    def offered_to(self, bank: HypothesisBank) -> HypothesisBank:
        """Return the bank with a copy of the likeliest hypothesis that lies on the steady grid.

        The weights of all hypotheses far from the grid are lower. If the grid is not believed, return `bank` itself.
        """
        if self._belief < LEAST_BELIEF:
            return bank
        place = bank.whole[TICK] + QUARTER * (self._time_s - bank.real[TIME]) / bank.real[QUARTER_S]
        place -= self._place
        place -= self._bar * np.rint(place / self._bar)
        far = np.abs(place) > abs(self._off) / 2 * self._beat
        weight = bank.real[WEIGHT] * np.where(far, math.exp(-BELIEVED * self._belief), 1.0)
        n, tick, quarter_s = len(bank), round(self._place / SIXTEENTH) * SIXTEENTH, self._quarter_s
        both = bank.chosen(np.append(np.arange(n), 0))
        both.real[WEIGHT, :n] = weight / weight.sum()
        both.real[WEIGHT, n] = OFFERED * self._belief
        both.real[QUARTER_S : USUAL_S + 1, n] = quarter_s
        both.real[TIME, n] = self._time_s + (tick - self._place) * quarter_s / QUARTER
        both.real[TT, n] = (PLACE_SD * quarter_s * self._beat / QUARTER) ** 2
        both.real[TP, n], both.real[PP, n] = 0.0, (TEMPO_SD * quarter_s) ** 2
        both.whole[TICK, n], both.whole[MANNER, n], both.whole[WAS_STRAY, n] = tick % self._bar, IN_TIME, 0
        return both

    def _leader(self, bank: HypothesisBank, onset_s: float) -> tuple[float, float]:
        """Return the place of the likeliest hypothesis at the onset in ticks, and its quarter note in seconds."""
        quarter_s = float(bank.real[QUARTER_S, 0])
        return float(bank.whole[TICK, 0]) + QUARTER * (onset_s - float(bank.real[TIME, 0])) / quarter_s, quarter_s

    def _away(self, place: float, there: float) -> float:
        """Return how far `there` is after `place`, both in ticks, in beats: less than half a bar."""
        return ((there - place + self._bar / 2) % self._bar - self._bar / 2) / self._beat

    def _spread(self, beats: float) -> float:
        """Return the spread in beats of the player's grids after so many beats."""
        at = min(bisect_left(HORIZONS, beats), len(HORIZONS) - 1)
        return max(LEAST_SD, SD_OF_MEAN * self._sums[at] / self._seen[at])

    def _compare(self, there: float) -> None:
        """Compare the grids of the last beats with the place `there`, in ticks."""
        for i, age in enumerate(HORIZONS):
            if len(self._grids) >= age and (grid := self._grids[-age]) is not None:
                time_s, place, quarter_s = grid
                off = self._away(place + QUARTER * (self._time_s - time_s) / quarter_s, there)
                self._sums[i] = KEEPS * self._sums[i] + min(abs(off), FARTHEST_OFF)
                self._seen[i] = KEEPS * self._seen[i] + 1

    def _look_for_rest(self, beats: float) -> None:
        """Use a gap of so many beats between the last two onsets."""
        in_beat = self._place / self._beat
        self._since_rest += beats
        if beats < REST:
            self._after_rest -= beats
        else:
            self._since_rest, self.rest_ended_off = 0.0, abs(in_beat - round(in_beat)) > ON_BEAT
            self._after_rest = AFTER_REST if self.rest_ended_off else THIS_ONSET

    def _look_at_fit(self, kind: int) -> None:
        """Use the distance of the last onset from the nearest note of the grid, in a rhythm of this kind."""
        unit = UNITS[kind] / self._beat
        miss = (self._place / self._beat + unit / 2) % unit - unit / 2
        near = math.exp(-0.5 * (miss / FIT_SD) ** 2) / (math.sqrt(2 * math.pi) * FIT_SD)
        fit = math.log((1 - FIT_MISSES) * near * unit + FIT_MISSES)
        self._fit += FIT_RATE * (fit - self._fit)
        self._fits = fit > LEAST_FIT

    def _follow(self, off: float, beats: float) -> None:
        """Move the grid slowly towards the bank, which is `off` beats ahead, `beats` beats after the last onset."""
        self._together += beats
        if self._together >= TOGETHER_BEATS:
            self._alone = 0.0
        self._agreed += beats
        keeps = math.exp(-beats / min(FIRST_BEATS + MORE_BEATS * self._agreed, SLOW_BEATS))
        self._place += (1 - keeps * keeps) * off * self._beat
        self._quarter_s *= math.exp(-((1 - keeps) ** 2) * off / max(beats, 0.05))
