"""A clock with a set tempo. The player gives the start of the first bar, and the tempo then stays constant."""

from __future__ import annotations

import math

from device.clock.count_in import CountIn, Taps
from device.clock.given_tempo import GivenTempo
from device.clock.meter import Meter
from device.clock.step import Step
from device.clock.upbeat import beats_to_bar, upbeat_of_counts
from device.errors import UserError

SLOWEST_BPM, FASTEST_BPM = 20.0, 400.0
"""Limits of a set tempo, in felt beats a minute."""


def beat_seconds(tempo: float) -> float:
    """Return the length in seconds of a felt beat at `tempo` beats a minute. Raises UserError outside 20 to 400."""
    if not SLOWEST_BPM <= tempo <= FASTEST_BPM:
        raise UserError(
            f"A tempo of {tempo:g} is out of range: give {SLOWEST_BPM:g} to {FASTEST_BPM:g} beats a minute."
        )
    return 60.0 / tempo


class FixedClock(GivenTempo):
    """Gives the steps of a grid at a constant tempo: `tempo` felt beats a minute (dotted quarters in 6/8).

    Without a count-in, the first heard onset is the start of a bar. With a count-in of N onsets, the bar starts one
    beat after the N-th onset. An upbeat moves the bar to a later beat. Four even taps give a new tempo and a new start.
    The clock skips steps that can no longer be planned one step ahead. Raises UserError for a tempo outside 20 to 400.
    """

    def __init__(self, tempo: float, meter: Meter, count_in: int = 0, upbeat: float | None = None) -> None:
        """Set the tempo. `upbeat` is the length in felt beats of the music before its first bar.

        If it is None, the number of counts decides: see `device.clock.upbeat`.
        """
        if upbeat is None:
            upbeat = upbeat_of_counts(count_in, meter.beats_per_bar)
        bar_after = beats_to_bar(upbeat) if count_in else upbeat
        self._first_position = round((1 if count_in else 0) * meter.steps_per_beat - bar_after * meter.steps_per_beat)
        """Position of the first step of the grid, counted from the first bar."""
        self._step_s = beat_seconds(tempo) / meter.steps_per_beat
        self._meter = meter
        self.count_in = CountIn(count_in)
        """The onsets that count in, as far as they were heard."""
        self._set_step_s = self._step_s
        self._begin()

    def _begin(self) -> None:
        self._start_s: float | None = None
        self._position0 = self._first_position
        self._next = 0
        self._first = 0
        """Index of the step at the start of the grid: not 0 if taps start the grid again."""
        self._given = 0
        self._last_s = -math.inf
        self._taps = Taps()

    @property
    def counting_in(self) -> bool:
        """Whether the left hand must not answer the last note: see `Clock.counting_in`."""
        return self.count_in.latest_is_part

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Use the start of a right-hand note: see `Clock.hear`."""
        self.count_in.hear(onset_s)
        if self._start_s is not None or not self.count_in.complete:
            return
        beat_s = self._step_s * self._meter.steps_per_beat
        self._start_s = onset_s + beat_s if self.count_in.wanted else onset_s
        self._next = max(0, math.ceil((decided_s - self._start_s) / self._step_s) + 1)

    def tap(self, at_s: float) -> None:
        """Handle a tempo tap: see `Clock.tap`. Four even taps set the tempo, limited to 20 to 400 beats a minute."""
        counted = self._taps.tap(at_s)
        if counted is None:
            return
        self.count_in, self._position0 = counted, 0
        beat_s = min(max(counted.beat_s(), 60.0 / FASTEST_BPM), 60.0 / SLOWEST_BPM)
        self._step_s = beat_s / self._meter.steps_per_beat
        self._start_s = counted.next_beat_s(beat_s)
        earliest_s = max(at_s, self._last_s) + self._step_s
        self._first = self._given - max(0, math.ceil((earliest_s - self._start_s) / self._step_s - 1e-9))
        self._next = self._given - self._first

    def due(self, now_s: float) -> Step | None:
        """Return the next step if it is time to give it, else None: see `Clock.due`."""
        if self._start_s is None:
            return None
        step = Step(
            index=self._first + self._next,
            time_s=self._start_s + self._next * self._step_s,
            length_s=self._step_s,
            position=(self._next + self._position0) % self._meter.steps_per_bar,
            meter=self._meter,
            lock=1.0,
        )
        if step.plan_s > now_s:
            return None
        self.count_in.close()
        self._next += 1
        self._given, self._last_s = step.index + 1, step.time_s
        return step

    def reset(self) -> None:
        """Forget all heard notes and given steps: see `Clock.reset`."""
        self.count_in = CountIn(self.count_in.wanted)
        self._step_s = self._set_step_s
        self._begin()
