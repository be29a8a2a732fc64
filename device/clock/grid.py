"""The phase-locked loop: a grid of even steps that follows the onsets.

It is not always clear for which step an onset was meant: at 160 beats a minute a sixteenth is 94 ms, and the count-in
gives the tempo only to a few percent. So the grid keeps several hypotheses. Each hypothesis is a Kalman filter over
phase and step length (Reid, "An algorithm for tracking multiple targets", 1979). An onset splits each hypothesis: by
the steps for which the onset may be meant, and by whether the player keeps or changes the tempo. The most probable
hypotheses are kept. `device.clock.rhythm` gives the probability of each step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from device.clock.count_in import SAME_ONSET_S
from device.clock.grid_hypotheses import (
    BEGINS,
    DRIFT,
    DRIFT_STEPS,
    GROUP,
    TIMING_S,
    TREND,
    Hypotheses,
    joined,
    pruned,
    updated,
)
from device.clock.meter import Meter
from device.clock.rhythm import Floats, Ints, next_class, previous_class, rhythm_of

STRAY = 0.03
"""Share of onsets that are meant for no step: ornaments and false detections."""
OFF_BEAT, BLIND = 0.5, 0.2
"""Weights of two weaker rhythm tables that are mixed in.

One knows only whether a step is even or odd, the other ignores the position. They keep players who stay on off-beats
from being misread.
"""
TRIPLETS = np.array([0.0, 0.01, 0.005, 0.003])
"""Share of onsets that begin triplets while ordinary steps are played, by the kind of the onset.

Kind 0 is an onset on a step. Kinds 1, 2 and 3 are an onset between steps, see `GROUP`.
"""
OPEN_LATE = 0.02
"""Share of these onsets that are not a whole number of triplet places after the onset before."""
IN_TRIPLETS = 0.9
"""Share of onsets on triplet places while triplets are played. An onset on a step between groups ends the triplets."""
TRIPLET_NEXT = np.array([0.0, 0.6, 0.2, 0.1, 0.03, 0.01, 0.04, 0.02])
"""Probability, while triplets are played, that the next onset is 0, 1, 2, ... triplet places later.

The last entry holds for each larger distance.
"""
FAR = 6.5
"""After this many triplet places without an onset, triplets are no longer expected."""
BENDS, SETTLES, TURNS = 0.02, 0.02, 0.01
"""Probability at each step that the player starts to change the tempo, keeps it again, or reverses the change."""
WIDE = 0.3
"""Standard deviation of the time of a step, in steps. Above it, steps further away are considered too."""
NO_STEP = 1e-4
"""Share of onsets that are not later than the step of the onset before, but do not belong to its chord."""
FIT_RATE, START_FIT = 0.12, 0.8
"""Weight of the newest onset in the running mean `Grid.fit`, and the first value of that mean."""


@dataclass(frozen=True, slots=True)
class Line:
    """One hypothesis: step `index` comes at `time_s`, and the next step comes `step_s` later.

    `tt`, `tp` and `pp` are the covariance of time and step length in s². Over the next `DRIFT_STEPS` steps, each step
    is longer than the step before by the relative amount `trend`.
    """

    index: int
    time_s: float
    step_s: float
    tt: float
    tp: float
    pp: float
    trend: float = 0.0

    def at(self, index: float) -> float:
        """Time of step `index` in seconds."""
        n = index - self.index
        m = min(max(n, 0.0), DRIFT_STEPS)
        return self.time_s + self.step_s * (n + self.trend * (n - m / 2) * m)

    def length_s(self, index: float) -> float:
        """Length of the step before `index` in seconds."""
        return self.step_s * (1 + self.trend * min(max(index - self.index, 0.0), DRIFT_STEPS))

    def variance(self, index: float) -> float:
        """Variance of `at(index)` in s², for a player who keeps the tempo."""
        n = index - self.index
        drift = (float(DRIFT[0]) * self.step_s) ** 2 * min(abs(n), DRIFT_STEPS)
        return self.tt + 2 * n * self.tp + n * n * (self.pp + drift)

    def nearest(self, time_s: float) -> int:
        """Index of the step that is nearest to `time_s`."""
        return self.index + round((time_s - self.time_s) / self.step_s)


class Grid:
    """The grid: step 0 is at `time_s`, and a step is `step_s` long. `time_sd_s` and `step_sd_s` are their deviations.

    A bar begins at step `bar_step`, and at every whole number of bars before and after it.
    """

    def __init__(
        self, meter: Meter, time_s: float, step_s: float, time_sd_s: float, step_sd_s: float, bar_step: int = 0
    ) -> None:
        self._meter = meter
        self._next = _next_shares(meter)
        self._turning = _turning()
        self.bar_step = bar_step
        one, start = np.ones(1), np.full(1, -meter.steps_per_beat)
        self._hypotheses = Hypotheses(
            index=np.zeros(1, np.int64),
            time_s=one * time_s,
            step_s=one * step_s,
            tt=one * time_sd_s**2,
            tp=one * 0.0,
            pp=one * step_sd_s**2,
            onset=start,
            before=start * 2,
            place=start.astype(float),
            triplets=np.zeros(1, np.int64),
            bend=np.zeros(1, np.int64),
            weight=one,
        )
        self._fit = START_FIT
        self._before = (self._hypotheses, self._fit)
        self._onsets: list[float] = []
        self.line = self._likeliest()
        self.certainty = 1.0

    @property
    def fit(self) -> float:
        """Share of recent onsets that lie on the grid, 0 to 1."""
        return self._fit

    @property
    def last_onset_s(self) -> float:
        """Time of the last onset in seconds, for a chord the mean. Before the first onset: the time of step 0."""
        return sum(self._onsets) / len(self._onsets) if self._onsets else self.line.time_s

    @property
    def meant_s(self) -> float:
        """Intended time of the last onset in seconds: the nearest step if it is close, else the time of the onset."""
        step_s = self.line.at(self.line.nearest(self.last_onset_s))
        return step_s if abs(step_s - self.last_onset_s) < 3 * TIMING_S else self.last_onset_s

    def position(self, index: int) -> int:
        """Position in the bar, in steps from 0, of step `index`."""
        return (index - self.bar_step) % self._meter.steps_per_bar

    def hear(self, onset_s: float) -> None:
        """Take in a note. The notes of a chord count as one onset at their mean time."""
        if self._onsets and abs(onset_s - self._onsets[0]) < SAME_ONSET_S:
            self._onsets.append(onset_s)
        else:
            self._onsets = [onset_s]
            self._before = (self._hypotheses, self._fit)
        self._hypotheses, fit = self._before
        meant = self._split(self.last_onset_s)
        self._fit = fit + FIT_RATE * (meant - fit)
        self.line = self._likeliest()

    def _split(self, onset_s: float) -> float:
        """Split the hypotheses by the possible meanings of the onset, and keep the most probable ones.

        Returns the probability that the onset was meant for a place on the grid.
        """
        old = self._hypotheses
        below = old.index + np.floor((onset_s - old.time_s) / old.step_s).astype(np.int64)
        n = below - old.index
        wide = bool((old.tt + n * n * old.pp > (WIDE * old.step_s) ** 2).any())
        on = below + np.arange(-1 if wide else 0, 3 if wide else 2)[:, None]
        phase = (below - self.bar_step) % 4
        third = below + np.where(phase % 2, 1, 2) / 3
        simple = self._meter.steps_per_beat % 3 > 0
        place = np.concatenate([on, [third, third, below + 0.5]])
        step = np.concatenate([on, [below, below, below]])
        kind = np.repeat([0] * len(on) + [1, 2, 3], len(n)).reshape(place.shape)
        possible = np.ones(place.shape)
        possible[len(on)] = simple * ((phase == 1) | (phase == 2))
        ahead = place - old.place
        # an onset between the steps starts or continues its kind of triplets; one on a step may continue them
        played = np.where(kind > 0, kind, old.triplets)
        group = GROUP[played]
        whole = np.rint(ahead * 3 / group)
        regular = np.abs(ahead * 3 / group - whole) < 0.1
        begins = (step - self.bar_step) % BEGINS[played] == 0
        among = regular & np.where(kind > 0, kind == old.triplets, begins & (old.triplets > 0))
        triplets = np.where(kind > 0, kind, np.where(among & (whole < FAR), old.triplets, 0))
        inside = TRIPLET_NEXT[np.clip(whole, 0, len(TRIPLET_NEXT) - 1).astype(np.int64)]
        straight = np.where(kind > 0, 0.0, self._next_share(step))
        opening = TRIPLETS[kind] * np.where(regular, inside, OPEN_LATE)
        usual = (1 - STRAY - TRIPLETS.sum()) * straight + opening
        in_triplets = (1 - STRAY - IN_TRIPLETS) * straight + IN_TRIPLETS * np.where(among, inside, 0.0)
        share = possible * np.where(ahead > 0.1, np.where(old.triplets > 0, in_triplets, usual), NO_STEP)
        bends = len(TREND)
        since = np.clip(step - old.onset, 0, len(self._turning) - 1)
        split = updated(
            old,
            onset_s,
            place=np.tile(place, (bends, 1)),
            step=np.tile(step, (bends, 1)),
            triplets=np.tile(triplets, (bends, 1)),
            bend=np.repeat(np.arange(bends), len(place))[:, None],
            share=np.concatenate([share * self._turning[since, to, old.bend] for to in range(bends)]),
        )
        stray = old.weight * STRAY / (self._meter.steps_per_beat * old.step_s)
        meant = float(split.weight.sum())
        total = meant + float(stray.sum())
        self._hypotheses = pruned(joined(split, replace(old, weight=stray)), total)
        return meant / total

    def _next_share(self, step: Ints) -> Floats:
        """Probability of each `step` [places, hypotheses] as the place of the next onset, if it is on a step."""
        old = self._hypotheses
        position = (old.onset - self.bar_step) % self._meter.steps_per_bar
        ahead = step - old.onset
        share = self._next[position, previous_class(old.onset - old.before), next_class(ahead)]
        return np.where(ahead > 0, share, 0.0)

    def _likeliest(self) -> Line:
        """Mean of the most probable hypothesis and those close to it."""
        r = self._hypotheses
        best = int(np.argmax(r.weight))
        index = int(r.index[best])
        there = r.at(index)
        near = np.abs(there - there[best]) < 0.3 * r.step_s[best]
        weight = np.where(near, r.weight, 0.0)
        self.certainty = float(weight.sum())
        weight = weight / weight.sum()
        n = index - r.index
        time_s, step_s = float(weight @ there), float(weight @ r.step_s)
        dt, dp = there - time_s, r.step_s - step_s
        return Line(
            index,
            time_s,
            step_s,
            tt=float(weight @ (r.tt + 2 * n * r.tp + n * n * r.pp + dt * dt)),
            tp=float(weight @ (r.tp + n * r.pp + dt * dp)),
            pp=float(weight @ (r.pp + dp * dp)),
            trend=float(weight @ TREND[r.bend]),
        )


def _next_shares(meter: Meter) -> Floats:
    """Return the table `next` of `device.clock.rhythm`, mixed with two less detailed tables, see `OFF_BEAT`."""
    table = rhythm_of(meter)
    weight = table.onset[:, None, None] + 1e-6
    either = [(table.next[i::2] * weight[i::2]).sum(axis=0) / weight[i::2].sum() for i in range(2)]
    blind = (table.next * weight).sum(axis=0) / weight.sum()
    even = np.stack(either * (meter.steps_per_bar // 2))
    return np.asarray((1 - OFF_BEAT - BLIND) * table.next + OFF_BEAT * even + BLIND * blind)


def _turning() -> Floats:
    """Probability of each tempo change [steps since the last onset, to, from], indices as in `TREND`."""
    keeps, bent = 1 - BENDS, 1 - SETTLES - TURNS
    one = np.array([[keeps, SETTLES, SETTLES], [BENDS / 2, bent, TURNS], [BENDS / 2, TURNS, bent]])
    return np.stack([np.linalg.matrix_power(one, n) for n in range(DRIFT_STEPS + 1)])
