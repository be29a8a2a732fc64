"""Finds the tempo and the position in the bar: a forward filter over every pair of the two, fed with onsets.

A hidden semi-Markov model as in rhythm quantisation (Takeda et al., "Hidden Markov model for automatic transcription of
MIDI signals", 2002). The state is the tempo and the position in the bar of the last onset. The next onset comes n steps
later with the probability in `device.clock.rhythm`. The time between the two onsets is n steps, plus the timing error
of the hand. The filter decides what a phase-locked loop cannot decide: half or double tempo, on or off the beat.
"""

from __future__ import annotations

import numpy as np

from device.clock.count_in import SAME_ONSET_S
from device.clock.meter import Meter
from device.clock.rhythm import (
    RECENT,
    SIZE_CLASSES,
    Floats,
    Ints,
    chord_class,
    interval_class,
    next_class,
    previous_class,
    rhythm_of,
)

SLOWEST_BEAT_S, FASTEST_BEAT_S = 1.75, 0.25
"""Longest and shortest beat in seconds: 34 and 240 beats a minute."""
CELLS_PER_OCTAVE = 24
"""Tempo cells are 3 % apart. The ratios 2 and 1/2 are a whole number of cells, 3/2 and 2/3 almost."""
USUAL_QUARTER_S = 0.65
"""Most probable length of a quarter note in seconds, without a hint: 92 quarters a minute."""
TEMPO_SPREAD_OCTAVES = 0.45
"""Standard deviation of the tempo without a hint, in octaves (factors of 2)."""
HINT_SPREAD_OCTAVES = 0.1
"""Standard deviation of the tempo around a hint, in octaves."""
TIMING_S = 0.028
"""Standard deviation of the time between two onsets, in seconds: 20 ms at each of the two onsets."""
OFF_GRID = 0.02
"""Share of onsets that lie on no grid: ornaments, triplets and false detections."""
RHYTHM_WEIGHT, MELODY_WEIGHT, CHORD_WEIGHT = 0.7, 0.7, 0.7
"""Exponents below 1 that weaken the three likelihoods.

Successive onsets of one piece are not independent, so full weight would count the same evidence several times.
"""
PULL = 0.1
"""The tempo prior is applied again at every onset with this exponent.

Otherwise a repeated rhythm that also fits double tempo would slowly win.
"""
FREE_WIDTH, COUPLED_WIDTH = 0.014, 0.004
"""Relative standard deviation of the tempo in a cell, without a grid and coupled to a grid."""
COUPLED_DRIFT = 0.01
"""Probability, coupled to a grid, that the tempo leaves its cell from one onset to the next."""
TEMPO_DRIFT = 0.03
"""Probability, without a grid, that the tempo leaves its cell from one onset to the next."""


class TempoAndBar:
    """Probabilities `p` [tempo cell, position in the bar] of the last onset.

    `doubt` is the probability at each onset that the state is wrong. That share of `p` returns to the prior.
    """

    def __init__(self, meter: Meter, tempo: float | None = None) -> None:
        self.meter = meter
        self._rhythm = rhythm_of(meter)
        self._next = self._rhythm.next**RHYTHM_WEIGHT
        self._interval = self._rhythm.interval**MELODY_WEIGHT
        self._chord = self._rhythm.chord**CHORD_WEIGHT
        cells = int(np.log2(SLOWEST_BEAT_S / FASTEST_BEAT_S) * CELLS_PER_OCTAVE) + 1
        self.beat_s = FASTEST_BEAT_S * 2 ** (np.arange(cells) / CELLS_PER_OCTAVE)
        usual = self._tempi(USUAL_QUARTER_S * float(meter.beat_quarters) ** 0.7, TEMPO_SPREAD_OCTAVES)
        told = self._tempi(60 / tempo, HINT_SPREAD_OCTAVES) if tempo else usual
        # `doubt` returns to the usual tempi, not to the hint: the hint may be wrong as well
        self._pull = (usual / usual.max()) ** PULL
        self._prior = np.outer(usual, self._rhythm.onset)
        self._told = np.outer(told, self._rhythm.onset)
        self._positions = np.arange(meter.steps_per_bar)
        self.reset()

    def reset(self) -> None:
        """Return to the state before the first note."""
        self.p: Floats = self._told.copy()
        self.doubt = 1e-3
        self._coupled_s: float | None = None
        self._before: _Past | None = None
        self._last: _Past | None = None

    def _tempi(self, beat_s: float, spread_octaves: float) -> Floats:
        """Probability of each tempo cell: a normal distribution in log tempo around `beat_s` seconds a beat."""
        prior = np.exp(-0.5 * (np.log2(self.beat_s / beat_s) / spread_octaves) ** 2)
        return np.asarray(prior / prior.sum())

    def settle(self, onset_s: float, beat_s: float, position: int, doubt: float) -> None:
        """Set tempo and position to known values, for example after a count-in."""
        near = np.exp(-0.5 * (np.log2(self.beat_s / beat_s) * CELLS_PER_OCTAVE) ** 2)
        self.p = np.zeros_like(self._prior)
        self.p[:, position] = near / near.sum()
        self.doubt = doubt
        previous = np.full(len(self.beat_s), self.meter.steps_per_beat)
        self._last = _Past(onset_s, frozenset({60}), (), self.p, previous, 0)
        self._before = None

    def couple(self, step_s: float | None) -> None:
        """Couple all tempi to a grid with steps of `step_s` seconds, from which the next onset times come.

        None: the next onset times are as heard, without a grid.
        """
        if step_s is not None:
            beat_s = step_s * self.meter.steps_per_beat
            if self._coupled_s is None:
                nearest = self.beat_s[np.argmin(np.abs(np.log(self.beat_s / beat_s)))]
                self.beat_s = self.beat_s * (beat_s / nearest)
            else:
                self.beat_s = self.beat_s * (step_s / self._coupled_s)
        self._coupled_s = step_s

    def hear(self, onset_s: float, pitch: int) -> None:
        """Take in a note. The notes of a chord count as one onset."""
        last = self._last
        pitches = frozenset({pitch})
        if last is not None and onset_s - last.onset_s < SAME_ONSET_S:
            if pitch in last.pitches:
                return
            pitches |= last.pitches
            if self._before is None:
                last.pitches = pitches
                return
            last, onset_s = self._before, last.onset_s
        if last is None:
            self._last = _Past(onset_s, pitches, (), self.p, np.full(len(self.beat_s), 5), 0)
            return
        self._before = last
        interval = interval_class(max(pitches) - max(last.pitches))
        recent = (*last.recent, last.pitches)[-RECENT:]
        known = {p % 12 for heard in recent for p in heard}
        chord = chord_class(len(pitches), len({p % 12 for p in pitches} - known))
        self.p, steps = self._forward(last, onset_s - last.onset_s, interval, chord)
        self._last = _Past(onset_s, pitches, recent, self.p, steps, interval)

    def _forward(self, last: _Past, gap_s: float, interval: int, chord: int) -> tuple[Floats, Ints]:
        """`p` after an onset that comes `gap_s` seconds later, and the number of steps in each tempo cell."""
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
            p += self._rhythmically(last, steps, interval, chord) * likely[:, None]
        p *= self._pull[:, None]
        total = p.sum()
        p = p / total if total > 1e-100 else self._prior.copy()
        side = (TEMPO_DRIFT if self._coupled_s is None else COUPLED_DRIFT) / 2 * p
        p = p - 2 * side
        p[1:] += side[:-1]
        p[:-1] += side[1:]
        p[0] += side[0]
        p[-1] += side[-1]
        return (1 - self.doubt) * p + self.doubt * self._prior, np.rint(exact).astype(np.int64)

    def _rhythmically(self, last: _Past, steps: Ints, interval: int, chord: int) -> Floats:
        """Joint probability of the state, of `steps` [cell] to this onset and of its keys, by its new position."""
        source = (self._positions[None] - steps[:, None]) % self.meter.steps_per_bar
        previous = previous_class(last.steps)
        following = self._next[source, previous[:, None], next_class(steps)[:, None]]
        melody = self._interval[:, previous_class(steps), last.interval, interval].T
        keys = min(len(last.pitches), SIZE_CLASSES) - 1
        harmony = self._chord[:, previous_class(steps), keys, chord].T
        moved: Floats = np.take_along_axis(last.p, source, axis=1) * following * melody * harmony
        return moved


class _Past:
    """An onset and the probabilities `p` after it.

    `recent` has the keys of the onsets before. `steps` [cell] is the distance from the onset before.
    """

    __slots__ = ("interval", "onset_s", "p", "pitches", "recent", "steps")

    def __init__(
        self,
        onset_s: float,
        pitches: frozenset[int],
        recent: tuple[frozenset[int], ...],
        p: Floats,
        steps: Ints,
        interval: int,
    ) -> None:
        self.onset_s, self.pitches, self.recent = onset_s, pitches, recent
        self.p, self.steps, self.interval = p, steps, interval
