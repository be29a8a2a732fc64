"""The phase-locked loop: a grid of even steps that bends to the onsets.

Which step an onset was meant for is not always plain: at 160 a sixteenth is 94 ms, and the count-in gives the tempo to
a few percent. So several readings are kept side by side, each a Kalman filter over phase and step length (Reid, "An
algorithm for tracking multiple targets", 1979); an onset splits each by the steps it may have been meant for and by
whether the player keeps the tempo or bends it, and the likeliest are kept. How likely a step is, `device.rhythm` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from device.countin import SAME_ONSET_S
from device.meter import Meter
from device.rhythm import Floats, Ints, next_class, previous_class, rhythm_of

READINGS = 12
TIMING_S = 0.022
"""Standard deviation of an onset around its step."""
STRAY = 0.02
"""Share of onsets that were meant for no step: ornaments, false detections."""
THIRDS = 0.03
"""Share of onsets on the thirds of a beat, where a beat is not already divided by three."""
STEADY_DRIFT, AGILE_DRIFT = 0.0002, 0.007
"""Standard deviation of the relative change of the step length from one step to the next, keeping and bending."""
BENDS, SETTLES = 0.03, 0.05
"""Probability at each onset that a player begins to bend the tempo, and that he keeps it again."""
DRIFT_STEPS = 8
"""A tempo drifts while someone plays; in a longer rest there is nothing that could drift."""
SAME_PHASE, SAME_TEMPO = 0.15, 0.01
"""Readings that differ by less, in steps and relatively, are one."""
NEGLIGIBLE = 1e-6
"""Weight, beside the likeliest reading's, below which one is not kept."""
NO_STEP = 1e-4
"""Share of onsets that are no step later than the one before, and yet no chord."""
FIT_RATE, START_FIT = 0.12, 0.8


@dataclass(frozen=True, slots=True)
class Line:
    """One reading: step `index` comes at `time_s`, the next `step_s` later; covariance (tt, tp, pp) in s²."""

    index: int
    time_s: float
    step_s: float
    tt: float
    tp: float
    pp: float

    def at(self, index: float) -> float:
        """When step `index` comes."""
        return self.time_s + (index - self.index) * self.step_s

    def variance(self, index: float) -> float:
        """Of `at(index)`, for a player who keeps the tempo."""
        n = index - self.index
        drift = (STEADY_DRIFT * self.step_s) ** 2 * min(abs(n), DRIFT_STEPS)
        return self.tt + 2 * n * self.tp + n * n * (self.pp + drift)

    def nearest(self, time_s: float) -> int:
        """The step that is nearest to a time."""
        return self.index + round((time_s - self.time_s) / self.step_s)


@dataclass(frozen=True)
class _Readings:
    """Several lines, one an entry [readings]: the arrays of `Line`, the last two onsets' steps, and the weight."""

    index: Ints
    time_s: Floats
    step_s: Floats
    tt: Floats
    tp: Floats
    pp: Floats
    onset: Ints
    before: Ints
    agile: Ints
    weight: Floats

    def at(self, index: npt.NDArray[Any] | int) -> Floats:
        """When step `index` comes in each."""
        return np.asarray(self.time_s + (index - self.index) * self.step_s)

    def chosen(self, which: npt.NDArray[Any]) -> _Readings:
        """Some of them."""
        return _Readings(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


class Pulse:
    """The grid: step 0 at `time_s`, steps of `step_s`, as sure as the standard deviations say.

    Bars begin at the steps congruent to `bar_step` modulo the metre's steps a bar.
    """

    def __init__(
        self, meter: Meter, time_s: float, step_s: float, time_sd_s: float, step_sd_s: float, bar_step: int = 0
    ) -> None:
        self._meter = meter
        self._next = rhythm_of(meter).next
        self.bar_step = bar_step
        one, start = np.ones(1), np.full(1, -meter.steps_per_beat)
        self._readings = _Readings(
            index=np.zeros(1, np.int64),
            time_s=one * time_s,
            step_s=one * step_s,
            tt=one * time_sd_s**2,
            tp=one * 0.0,
            pp=one * step_sd_s**2,
            onset=start,
            before=start * 2,
            agile=np.zeros(1, np.int64),
            weight=one,
        )
        self._fit = START_FIT
        self._before = (self._readings, self._fit)
        self._onsets: list[float] = []
        self.line = self._likeliest()
        self.certainty = 1.0

    @property
    def fit(self) -> float:
        """Share of the last onsets that fell on the grid, 0 to 1."""
        return self._fit

    @property
    def last_onset_s(self) -> float:
        """The onset heard last, a chord's mean; before the first, step 0."""
        return sum(self._onsets) / len(self._onsets) if self._onsets else self.line.time_s

    @property
    def meant_s(self) -> float:
        """When the last onset was meant to come: its step where it is near one, else when it came."""
        step_s = self.line.at(self.line.nearest(self.last_onset_s))
        return step_s if abs(step_s - self.last_onset_s) < 3 * TIMING_S else self.last_onset_s

    def position(self, index: int) -> int:
        """Where in the bar a step is."""
        return (index - self.bar_step) % self._meter.steps_per_bar

    def hear(self, onset_s: float) -> None:
        """Take in a note; the notes of a chord count as one onset at their mean."""
        if self._onsets and abs(onset_s - self._onsets[0]) < SAME_ONSET_S:
            self._onsets.append(onset_s)
        else:
            self._onsets = [onset_s]
            self._before = (self._readings, self._fit)
        self._readings, fit = self._before
        meant = self._split(self.last_onset_s)
        self._fit = fit + FIT_RATE * (meant - fit)
        self.line = self._likeliest()

    def _split(self, onset_s: float) -> float:
        """Split the readings by what the onset may have been, keep the likeliest; the share that says it was meant."""
        old = self._readings
        steps = self._meter.steps_per_beat
        below = old.index + np.floor((onset_s - old.time_s) / old.step_s).astype(np.int64)
        beat = below - (below - self.bar_step) % steps
        places = [below, below + 1]
        on_step = [below, below + 1]
        share = [self._share(below), self._share(below + 1)]
        if steps % 3:
            places += [beat + steps / 3, beat + 2 * steps / 3]
            on_step += [below, below]
            share += [np.full(len(beat), THIRDS / 2)] * 2
        turning = np.array([[1 - BENDS, SETTLES], [BENDS, 1 - SETTLES]])[:, old.agile]
        split = _updated(
            old,
            onset_s,
            place=np.stack(places * 2).astype(float),
            step=np.stack(on_step * 2),
            agile=np.repeat([0, 1], len(places))[:, None],
            share=np.stack(share * 2) * np.repeat(turning, len(places), axis=0),
        )
        stray = old.weight * STRAY / (steps * old.step_s)
        meant = float(split.weight.sum())
        total = meant + float(stray.sum())
        self._readings = _pruned(_joined(split, replace(old, weight=stray)), total)
        return meant / total

    def _share(self, step: Ints) -> Floats:
        """How likely the next onset is meant for `step`, in each reading."""
        old = self._readings
        position = (old.onset - self.bar_step) % self._meter.steps_per_bar
        ahead = step - old.onset
        share = self._next[position, previous_class(old.onset - old.before), next_class(ahead)]
        return np.where(ahead > 0, share * (1 - STRAY - THIRDS), NO_STEP)

    def _likeliest(self) -> Line:
        """The likeliest reading, with those near it."""
        r = self._readings
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
        )


def _updated(old: _Readings, onset_s: float, place: Floats, step: Ints, agile: Ints, share: Floats) -> _Readings:
    """Each reading [readings] after an onset meant for each `place` [places, readings] and counted as one on `step`.

    `share` [places, readings] is how likely that is beforehand, `agile` [places, 1] how the tempo has moved.
    """
    n = np.maximum(step - old.index, 0)
    bent = (np.where(agile, AGILE_DRIFT, STEADY_DRIFT) * old.step_s) ** 2 * np.minimum(n, DRIFT_STEPS)
    index = old.index + n
    time_s = old.at(index)
    tt = old.tt + 2 * n * old.tp + n * n * (old.pp + bent / 3)
    tp = old.tp + n * (old.pp + bent / 2)
    pp = old.pp + bent
    on = place - index
    gain_t, gain_p = tt + on * tp, tp + on * pp
    variance = gain_t + on * gain_p + TIMING_S**2
    error_s = onset_s - time_s - on * old.step_s
    density = np.exp(-0.5 * error_s**2 / variance) / np.sqrt(2 * math.pi * variance)
    gain_t, gain_p = gain_t / variance, gain_p / variance
    return _Readings(
        index=index,
        time_s=time_s + gain_t * error_s,
        step_s=old.step_s + gain_p * error_s,
        tt=tt - gain_t * gain_t * variance,
        tp=tp - gain_t * gain_p * variance,
        pp=pp - gain_p * gain_p * variance,
        onset=np.maximum(step, old.onset),
        before=np.where(step > old.onset, old.onset, old.before),
        agile=np.broadcast_to(agile, place.shape),
        weight=old.weight * share * density,
    )


def _joined(split: _Readings, stray: _Readings) -> _Readings:
    """All readings in one row."""
    return _Readings(
        *(np.concatenate([getattr(split, name).ravel(), getattr(stray, name)]) for name in split.__dataclass_fields__)
    )


def _pruned(readings: _Readings, total: float) -> _Readings:
    """The likeliest few, each with the weight of those that say nearly the same; `total` is the weight of all."""
    order = np.argsort(-readings.weight)[: 3 * READINGS]
    r = readings.chosen(order)
    weight = r.weight / total
    alive = weight > NEGLIGIBLE * weight[0]
    kept: list[int] = []
    for i in range(len(order)):
        if not alive[i] or len(kept) == READINGS:
            continue
        alike = (r.onset == r.onset[i]) & (r.agile == r.agile[i]) & alive
        alike &= np.abs(r.at(r.index[i]) - r.time_s[i]) < SAME_PHASE * r.step_s[i]
        alike &= np.abs(r.step_s - r.step_s[i]) < SAME_TEMPO * r.step_s[i]
        weight[i] = weight[alike].sum()
        alive &= ~alike
        kept.append(i)
    weight = weight[kept]
    return replace(r.chosen(np.array(kept)), weight=weight / weight.sum())
