"""Which tempo, and where in the bar: a forward filter over every pair of the two, fed with onsets.

A hidden semi-Markov model as in rhythm quantisation (Takeda et al., "Hidden Markov model for automatic transcription of
MIDI signals", 2002): the state is the position in the bar of the last onset and the tempo; from one onset to the next
lie n steps, as probable as `device.rhythm` says, and the time between them is n steps long give or take the hand's
precision. It settles what a phase-locked loop cannot: half and double tempo, on and off the beat.
"""

from __future__ import annotations

import numpy as np

from device.countin import SAME_ONSET_S
from device.meter import Meter
from device.rhythm import Floats, Ints, interval_class, next_class, previous_class, rhythm_of

SLOWEST_BEAT_S, FASTEST_BEAT_S = 1.75, 0.25
"""34 and 240 beats a minute."""
CELLS_PER_OCTAVE = 24
"""Tempo cells of 3 %: 2 and 1/2 are whole numbers of cells, 3/2 and 2/3 nearly."""
USUAL_QUARTER_S = 0.65
TEMPO_SPREAD_OCTAVES = 0.45
HINT_SPREAD_OCTAVES = 0.1
TIMING_S = 0.028
"""Standard deviation of the time between two onsets: 20 ms at each end."""
OFF_GRID = 0.02
"""Share of onsets that keep to no grid: ornaments, triplets, false detections."""
FREE_WIDTH, COUPLED_WIDTH = 0.014, 0.004
"""Relative standard deviation of the tempi in a cell."""
COUPLED_DRIFT = 0.01
TEMPO_DRIFT = 0.1
"""Probability that the tempo leaves its cell from one onset to the next."""


class Belief:
    """Probabilities `p` [tempo cell, position in the bar] of the last onset.

    `doubt` is the probability at each onset that all was wrong and anything may be true.
    """

    def __init__(self, meter: Meter, tempo: float | None = None) -> None:
        self.meter = meter
        self._rhythm = rhythm_of(meter)
        cells = int(np.log2(SLOWEST_BEAT_S / FASTEST_BEAT_S) * CELLS_PER_OCTAVE) + 1
        self.beat_s = FASTEST_BEAT_S * 2 ** (np.arange(cells) / CELLS_PER_OCTAVE)
        usual_s = 60 / tempo if tempo else USUAL_QUARTER_S * float(meter.beat_quarters) ** 0.7
        spread = HINT_SPREAD_OCTAVES if tempo else TEMPO_SPREAD_OCTAVES
        prior = np.exp(-0.5 * (np.log2(self.beat_s / usual_s) / spread) ** 2)
        self._prior = np.outer(prior / prior.sum(), self._rhythm.onset)
        self._positions = np.arange(meter.steps_per_bar)
        self.reset()

    def reset(self) -> None:
        """Back to what is known before the first note."""
        self.p: Floats = self._prior.copy()
        self.doubt = 1e-3
        self._coupled_s: float | None = None
        self._before: _Past | None = None
        self._last: _Past | None = None

    def settle(self, onset_s: float, beat_s: float, position: int, doubt: float) -> None:
        """The beat is known: a count-in said so."""
        near = np.exp(-0.5 * (np.log2(self.beat_s / beat_s) * CELLS_PER_OCTAVE) ** 2)
        self.p = np.zeros_like(self._prior)
        self.p[:, position] = near / near.sum()
        self.doubt = doubt
        previous = np.full(len(self.beat_s), self.meter.steps_per_beat)
        self._last = _Past(onset_s, onset_s, 60, self.p, previous, 0)
        self._before = None

    def couple(self, step_s: float | None) -> None:
        """The next onsets are taken from a grid of `step_s`, and all tempi bend with it; None: they are as heard."""
        if step_s is not None:
            beat_s = step_s * self.meter.steps_per_beat
            if self._coupled_s is None:
                nearest = self.beat_s[np.argmin(np.abs(np.log(self.beat_s / beat_s)))]
                self.beat_s = self.beat_s * (beat_s / nearest)
            else:
                self.beat_s = self.beat_s * (step_s / self._coupled_s)
        self._coupled_s = step_s

    def hear(self, onset_s: float, pitch: int) -> None:
        """Take in a note; the notes of a chord count as one onset with the top note's pitch."""
        last = self._last
        if last is not None and onset_s - last.first_s < SAME_ONSET_S:
            if pitch <= last.pitch or self._before is None:
                last.pitch = max(pitch, last.pitch)
                return
            self._last, onset_s = self._before, last.onset_s
            last = self._last
        if last is None:
            self._last = _Past(onset_s, onset_s, pitch, self.p, np.full(len(self.beat_s), 5), 0)
            return
        self._before = last
        interval = interval_class(pitch - last.pitch)
        self.p, steps = self._forward(last, onset_s - last.onset_s, interval)
        self._last = _Past(onset_s, onset_s, pitch, self.p, steps, interval)

    def _forward(self, last: _Past, gap_s: float, interval: int) -> tuple[Floats, Ints]:
        """The belief after `gap_s` more seconds, and how many steps that is in each tempo cell."""
        step_s = self.beat_s / self.meter.steps_per_beat
        exact = gap_s / step_s
        below = np.floor(exact).astype(np.int64)
        tempo_s = step_s * (FREE_WIDTH if self._coupled_s is None else COUPLED_WIDTH)
        p = np.zeros_like(last.p)
        for steps in (below, below + 1):
            error_s = gap_s - steps * step_s
            variance = TIMING_S**2 + (steps * tempo_s) ** 2
            on_grid = np.exp(-0.5 * error_s**2 / variance) / np.sqrt(2 * np.pi * variance)
            nearest = np.abs(exact - steps) <= 0.5
            likely = np.where(steps > 0, (1 - OFF_GRID) * on_grid, 0) + OFF_GRID * nearest / step_s
            p += self._rhythmically(last, steps, interval) * likely[:, None]
        total = p.sum()
        p = p / total if total > 1e-100 else self._prior.copy()
        side = (TEMPO_DRIFT if self._coupled_s is None else COUPLED_DRIFT) / 2 * p
        p = p - 2 * side
        p[1:] += side[:-1]
        p[:-1] += side[1:]
        p[0] += side[0]
        p[-1] += side[-1]
        return (1 - self.doubt) * p + self.doubt * self._prior, np.rint(exact).astype(np.int64)

    def _rhythmically(self, last: _Past, steps: Ints, interval: int) -> Floats:
        """Probability of `steps` [cell] to this onset and of its pitch, moved to the position it falls on."""
        source = (self._positions[None] - steps[:, None]) % self.meter.steps_per_bar
        previous = previous_class(last.steps)
        following = self._rhythm.next[source, previous[:, None], next_class(steps)[:, None]]
        melody = self._rhythm.interval[:, previous_class(steps), last.interval, interval].T
        moved: Floats = np.take_along_axis(last.p, source, axis=1) * following * melody
        return moved


class _Past:
    """An onset and what was believed after it; `steps` [cell] is the distance from the one before."""

    __slots__ = ("first_s", "interval", "onset_s", "p", "pitch", "steps")

    def __init__(self, onset_s: float, first_s: float, pitch: int, p: Floats, steps: Ints, interval: int) -> None:
        self.onset_s, self.first_s, self.pitch = onset_s, first_s, pitch
        self.p, self.steps, self.interval = p, steps, interval
