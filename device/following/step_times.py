"""Computes which step of the grid comes next in the clock that follows the player, and when.

If an onset is likely at a step, the step waits for it, up to a limit.
"""

from __future__ import annotations

import math

import numpy as np

from device.following.bank import GAP, GAP2, KIND, QUARTER_S, TICK, TIME, WEIGHT, HypothesisBank
from device.following.hypotheses import Hypotheses
from device.following.leaders import Leaders
from device.following.next_onset import FARTHEST, QUARTER
from device.following.rhythm import Floats

FEW = 4
"""Number of steps whose times are computed at once."""
PATIENCE = 1.5
"""The clock waits for an expected onset for this many standard deviations of the predicted time. It does not wait for a
player who keeps an even tempo: single onsets of such a player are uneven, and the left hand would copy this."""
DELAYS = 2.0
"""The wait is shorter by this many times the delay of hearing: waiting is useless if the onset is known late."""
LONGEST_WAIT = 0.2
"""Longest wait for an onset, in beats."""
EXPECTED = 0.3
"""The clock waits for an onset at a step if the onset has at least this probability."""
CATCH_UP = 0.25
"""A beat that was not given in time is given late, by up to this many beats. Beyond that it is skipped."""
CATCH_UP_S = 0.03
"""The same limit in seconds for a step that is not a beat."""
AHEAD, BEHIND = 0.75, 1.5
"""The clock leaps to the grid if the given steps are more than AHEAD beats before it or BEHIND beats after it."""
LEAST_GAP = 0.25
"""Two steps are at least so many steps apart."""


class StepTimes:
    """Computes the places and times of the next steps from the leading hypotheses. `step` is a step's length in ticks.

    A place is a number of ticks, counted from the bar of the last onset.
    """

    def __init__(self, hypotheses: Hypotheses, leaders: Leaders, step: int) -> None:
        self._hypotheses, self._leaders, self._step = hypotheses, leaders, step
        self._times: dict[int, float] = {}
        self._awaited: Floats | None = None

    def forget(self) -> None:
        """Forget the computed times. Call it when the leading hypotheses have changed."""
        self._times, self._awaited = {}, None

    def following(self, told_tick: int | None, told_s: float, delay_s: float, now_s: float) -> tuple[int, float]:
        """Return the place in ticks and the time in seconds of the next step that is not too late at `now_s` seconds.

        The last given step was at `told_tick` of its bar, at `told_s` seconds; None: no step was given. `delay_s` is
        the usual time from an onset to its decision in seconds. Some hypotheses must lead.
        """
        leaders, step, beat = self._leaders, self._step, self._hypotheses.beat
        tick0, time0_s, tick_s = leaders.tick, leaders.time_s, leaders.quarter_s / QUARTER
        tick = self._after_told(told_tick, told_s, now_s) + step
        while True:
            late_s = now_s - time0_s - (tick - tick0) * tick_s
            if late_s <= (CATCH_UP * beat * tick_s if tick % beat == 0 or tick == tick0 else CATCH_UP_S):
                break
            tick += step
        if tick not in self._times:
            assert leaders.bank is not None
            self._times |= self._times_from(leaders.bank, tick, delay_s)
        return tick, self._times[tick]

    def _times_from(self, lead: HypothesisBank, tick: int, delay_s: float) -> dict[int, float]:
        """Return the times in seconds of a few steps from `tick` on, by tick.

        A time is the mean of the leading hypotheses, and a wait where an onset is expected.
        """
        leaders = self._leaders
        tick0, tick_s, bar = leaders.tick, leaders.quarter_s / QUARTER, self._hypotheses.bar
        ticks = np.arange(tick, tick + FEW * self._step, self._step)[:, None]
        times_s, quarters_s, weight = lead.real[TIME], lead.real[QUARTER_S], lead.real[WEIGHT]
        # the last onset of another hypothesis may lie in another bar
        near = (leaders.time_s + (ticks - tick0) * tick_s - times_s) * QUARTER / quarters_s
        ahead = ticks - lead.whole[TICK]
        quarters = (ahead - np.rint((ahead - near) * (1 / bar)) * bar) * (1 / QUARTER)
        times_s, variance = lead.ahead(quarters)
        mean_s = times_s @ weight
        times_s -= mean_s[:, None]
        sd_s = np.sqrt((variance + times_s * times_s) @ weight)
        patience = 0.0 if leaders.is_even else PATIENCE
        out = {}
        for step, time_s, wait_s in zip(ticks[:, 0].tolist(), mean_s.tolist(), sd_s.tolist(), strict=True):
            out[step] = time_s
            if tick0 < step <= tick0 + FARTHEST and (expected := self._expected(lead, step - tick0)) > EXPECTED:
                wait_s = max(0.0, patience * wait_s - DELAYS * delay_s)
                out[step] += min(wait_s, LONGEST_WAIT * self._hypotheses.beat * tick_s) * expected
        return out

    def _expected(self, lead: HypothesisBank, ahead: int) -> float:
        """Return the probability that the next onset is `ahead` ticks after the last, if none came before."""
        if self._awaited is None:
            gaps = (int(lead.whole[GAP, 0]), int(lead.whole[GAP2, 0]))
            self._awaited = self._hypotheses.awaited_after(self._leaders.tick, int(lead.whole[KIND, 0]), gaps)
        return float(self._awaited[ahead - 1])

    def _after_told(self, told_tick: int | None, told_s: float, now_s: float) -> int:
        """Return the tick of the last given step, on the grid as it is now. If that is too far off, the clock leaps."""
        step, bar, beat = self._step, self._hypotheses.bar, self._hypotheses.beat
        tick0, time0_s, tick_s = self._leaders.tick, self._leaders.time_s, self._leaders.quarter_s / QUARTER
        if told_tick is not None:
            there = tick0 + (told_s - time0_s) / tick_s
            bars = round((there - told_tick) / bar)
            if -BEHIND * beat <= told_tick + bars * bar - there <= AHEAD * beat:
                return told_tick + bars * bar
        earliest_s = max(now_s, told_s + LEAST_GAP * step * tick_s)
        return math.floor((tick0 + (earliest_s - time0_s) / tick_s) / step) * step
