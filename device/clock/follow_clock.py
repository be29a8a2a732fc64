"""The clock that follows the player: it finds tempo and beat from the onsets of the right hand."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from device.clock.count_in import SAME_ONSET_S, CountIn, Taps
from device.clock.fixed_clock import FASTEST_BPM, beat_seconds
from device.clock.grid import Grid, Line
from device.clock.meter import Meter
from device.clock.step import ClockPulse, Step
from device.clock.tempo_and_bar import TempoAndBar

FIRST_ONSETS = 5
"""Without a count-in, the grid begins after this many onsets, even if it is unsure."""
COUNTED_SD_S = 0.02
"""Standard deviation, in seconds, of the onsets of a count-in around their beats."""
HISTORY = 24
"""Number of recent onsets that a new grid is fitted to."""
FREE_DOUBT = 3e-4
"""Probability at each onset that the current tempo and position are wrong. See `TempoAndBar`."""
OTHER_READINGS = (0, 24, 14, 38, 10)
"""Distances in tempo cells (24 per octave) to tempi that also fit a good grid: ratios 1, 2, 3/2, 3 and 4/3."""
SWITCH_ODDS = 8.0
"""The clock changes to another tempo or beat only if that is this many times more probable."""
SAME_TEMPO_CELLS = 2
"""Tempi at most this many tempo cells apart count as the same tempo."""
LOST_FIT = 0.3
"""If a smaller share of recent onsets than this lies on the grid, the clock searches again for tempo and bar.

Above it, the clock trusts the count-in.
"""
TOLERANCE_S = 0.07
"""A beat is good if it is at most this many seconds away from its predicted time."""
SILENT_BEATS, FADE_BEATS = 4.0, 12.0
"""Beats without an onset until the lock begins to fall, and further beats in which it falls by a factor of e."""


class FollowClock:
    """A grid that follows the tempo of the player.

    A count-in of N onsets is N felt beats: the first step is the start of a bar, one beat after the last onset. With a
    count-in of 0, the grid begins after a few onsets, and `lock` reports how sure it is. `tempo` is a hint in felt
    beats a minute. A count-in of one onset gives a beat only together with this hint.
    """

    def __init__(self, meter: Meter, count_in: int = 4, tempo: float | None = None) -> None:
        self._meter = meter
        self._wanted = count_in
        self._tempo = tempo
        self._hint_s = None if tempo is None else beat_seconds(tempo)
        self.reset()

    def reset(self) -> None:
        """See `Clock.reset`."""
        self._count_in = CountIn(self._wanted)
        self._tempo_and_bar = TempoAndBar(self._meter, self._tempo)
        self._grid: Grid | None = None
        self._index = 0
        self._next = 0
        self._last_step_s = -math.inf
        self._ready: deque[Step] = deque()
        self._onsets: deque[float] = deque(maxlen=HISTORY)
        self._certainty = 0.0
        self._counted = False
        self._taps = Taps()

    @property
    def counting_in(self) -> bool:
        """See `Clock.counting_in`."""
        return self._count_in.latest_is_part

    def tap(self, at_s: float) -> None:
        """See `Clock.tap`."""
        while self._plan_s() < at_s:
            self._give()
        counted = self._taps.tap(at_s)
        if counted is not None:
            self._count_in = counted
            self._tempo_and_bar = TempoAndBar(self._meter, self._tempo)
            self._begin_counted(at_s)

    def pulse(self, pulse: ClockPulse, at_s: float) -> None:
        """Does nothing: see `Clock.pulse`."""

    def due(self, now_s: float) -> Step | None:
        """See `Clock.due`."""
        while self._plan_s() <= now_s:
            self._give()
        if self._ready and self._ready[0].plan_s <= now_s:
            return self._ready.popleft()
        return None

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """See `Clock.hear`."""
        while self._plan_s() < decided_s:
            self._give()
        if self._count_in.hear(onset_s):
            if self._grid is None and self._count_in.complete:
                self._begin_counted(decided_s)
            return
        if not self._onsets or onset_s - self._onsets[-1] >= SAME_ONSET_S:
            self._onsets.append(onset_s)
        if self._grid is not None:
            self._grid.hear(onset_s)
            self._resume(decided_s)
            if self._counted and self._grid.fit > LOST_FIT:
                return
            if self._counted:
                self._counted = False
                beat_s, position = self._reading()
                self._tempo_and_bar.settle(self._grid.last_onset_s, beat_s, position, FREE_DOUBT)
            self._tempo_and_bar.couple(self._grid.line.step_s if self._grid.fit > LOST_FIT else None)
            self._tempo_and_bar.hear(self._grid.meant_s if self._grid.fit > LOST_FIT else onset_s, pitch)
            self._reconsider(decided_s)
            return
        self._tempo_and_bar.hear(onset_s, pitch)
        if len(self._onsets) >= FIRST_ONSETS:
            self._take_reading(decided_s, *self._best())

    def _coming_s(self, line: Line) -> float:
        """Predicted time of the next step, in seconds."""
        return max(line.at(self._next), self._last_step_s + 0.4 * line.step_s)

    def _plan_s(self) -> float:
        """Time, in seconds, at which the clock must give the next step."""
        return (
            math.inf if self._grid is None else self._coming_s(self._grid.line) - self._grid.line.length_s(self._next)
        )

    def _give(self) -> None:
        assert self._grid is not None
        line = self._grid.line
        time_s = self._coming_s(line)
        position = self._grid.position(self._next)
        self._ready.append(Step(self._index, time_s, line.length_s(self._next), position, self._meter, self._lock()))
        self._count_in.close()
        self._last_step_s = time_s
        self._index += 1
        self._next += 1

    def _lock(self) -> float:
        """Probability that the next step has the right time and the right position in the bar."""
        if self._grid is None:
            return 0.0
        line = self._grid.line
        near = math.erf(TOLERANCE_S / math.sqrt(2 * line.variance(self._next)))
        beats = (line.at(self._next) - self._grid.last_onset_s) / (line.step_s * self._meter.steps_per_beat)
        fresh = math.exp(-max(0.0, beats - SILENT_BEATS) / FADE_BEATS)
        return self._certainty * self._grid.certainty * near * min(1.0, self._grid.fit / 0.8) * fresh

    def _begin_counted(self, decided_s: float) -> None:
        """End the count-in and begin the grid: a bar starts one beat after the last onset."""
        count_in = self._count_in
        if len(count_in.onsets) > 1:
            beat_s = max(count_in.beat_s(), 60.0 / FASTEST_BPM)
        elif self._hint_s is not None:
            beat_s = self._hint_s
        else:
            count_in.close()
            return
        n = len(count_in.onsets)
        start_s = count_in.next_beat_s(beat_s)
        steps = self._meter.steps_per_beat
        beat_sd_s = COUNTED_SD_S * math.sqrt(12 / (n * (n * n - 1)) if n > 1 else 1.0)
        start_sd_s = math.hypot(COUNTED_SD_S / math.sqrt(n), beat_sd_s * (n + 1) / 2)
        self._grid = Grid(self._meter, start_s, beat_s / steps, start_sd_s, beat_sd_s / steps)
        self._counted = True
        self._certainty = 1.0
        self._next = 0
        self._skip_past(decided_s)

    def _skip_past(self, decided_s: float) -> None:
        """Continue with the first step that can still be planned one step ahead."""
        assert self._grid is not None
        line = self._grid.line
        earliest_s = max(decided_s + line.step_s, self._last_step_s + 0.5 * line.step_s)
        self._next = max(self._next, line.index + math.ceil((earliest_s - line.time_s) / line.step_s - 1e-9))

    def _resume(self, decided_s: float) -> None:
        """Choose the next step after the grid has jumped: not in the past, without a gap or a crowd of steps."""
        assert self._grid is not None
        line = self._grid.line
        after_s = self._last_step_s + 0.5 * line.step_s
        while line.at(self._next) < max(decided_s + 0.25 * line.step_s, after_s):
            self._next += 1
        while after_s > -math.inf and line.at(self._next - 1) >= max(decided_s + line.step_s, after_s):
            self._next -= 1

    def _reading(self) -> tuple[float, int]:
        """Length of a beat in seconds, and position of the last onset in the bar, on the current grid."""
        assert self._grid is not None
        line = self._grid.line
        position = self._grid.position(line.nearest(self._grid.last_onset_s))
        return line.step_s * self._meter.steps_per_beat, position

    def _support(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """Probability [tempo cell, position in the bar]. Each value is the sum over a tempo cell and its neighbours."""
        sums = np.cumsum(np.pad(self._tempo_and_bar.p, ((SAME_TEMPO_CELLS + 1, SAME_TEMPO_CELLS), (0, 0))), axis=0)
        width = 2 * SAME_TEMPO_CELLS + 1
        return np.asarray(sums[width:] - sums[:-width])

    def _best(self) -> tuple[float, int]:
        """The most probable beat length in seconds, and position of the last onset.

        The place within the beat is chosen first, then the beat of the bar.
        """
        support = self._support()
        steps = self._meter.steps_per_beat
        in_beat = support.reshape(len(support), -1, steps).sum(axis=1)
        if self._grid is not None and self._grid.fit > LOST_FIT:
            own = np.argmin(np.abs(np.log(self._tempo_and_bar.beat_s / self._reading()[0])))
            apart = np.abs(np.arange(len(support)) - own)
            in_beat[~np.isin(apart, OTHER_READINGS)] = 0.0
        cell, place = (int(i) for i in np.unravel_index(np.argmax(in_beat), in_beat.shape))
        beat = int(np.argmax(support[cell, place::steps]))
        return float(self._tempo_and_bar.beat_s[cell]), beat * steps + place

    def _reconsider(self, decided_s: float) -> None:
        """Change to another tempo or beat if it has become much more probable."""
        assert self._grid is not None
        beat_s, position = self._reading()
        steps = self._meter.steps_per_beat
        support = self._support()
        cell = int(np.argmin(np.abs(np.log(self._tempo_and_bar.beat_s / beat_s))))
        own = float(support[cell, position % steps :: steps].sum())
        best_s, best = self._best()
        best_cell = int(np.argmin(np.abs(np.log(self._tempo_and_bar.beat_s / best_s))))
        other = float(support[best_cell, best % steps :: steps].sum())
        self._certainty = own
        if other > SWITCH_ODDS * own:
            self._take_reading(decided_s, best_s, best)
        elif other <= own and support[cell, best] > SWITCH_ODDS * support[cell, position]:
            self._grid.bar_step -= best - position

    def _take_reading(self, decided_s: float, beat_s: float, position: int) -> None:
        """Begin a new grid. If the tempo was right and the grid fits, correct only the position in the bar."""
        steps = self._meter.steps_per_beat
        if self._grid is not None:
            own_s, own = self._reading()
            if abs(math.log2(own_s / beat_s)) < 0.1 and self._grid.fit > 0.5:
                self._grid.bar_step -= position - own
                return
        time_s, step_s = self._laid_through(beat_s / steps)
        self._grid = Grid(self._meter, time_s, step_s, 0.015, 0.01 * step_s, -position)
        self._tempo_and_bar.doubt = FREE_DOUBT
        self._tempo_and_bar.couple(None)
        self._next = 0
        self._skip_past(decided_s)
        self._certainty = float(self._support().max())

    def _laid_through(self, step_s: float) -> tuple[float, float]:
        """Time of the step of the last onset, and length of a step, both in seconds.

        Both come from a least-squares line through the last onsets. The onsets get their step numbers backwards from
        the last one, each from the onset after it. So an error in the first guess `step_s` does not grow.
        """
        onsets = list(self._onsets)[::-1]
        for _ in range(2):
            numbers = [0]
            for later, earlier in zip(onsets, onsets[1:], strict=False):
                numbers.append(numbers[-1] - round((later - earlier) / step_s))
            if len(set(numbers)) < 2:
                break
            slope, start = np.polyfit(numbers, onsets, 1)
            if abs(math.log2(slope / step_s)) > 0.1:
                return onsets[0], step_s
            step_s = float(slope)
        return (float(start), step_s) if len(set(numbers)) > 1 else (onsets[0], step_s)
