"""Follows MIDI clock: another device sends 24 pulses per quarter note, Start, Stop, Continue and the song position."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from device.clock.fixed_clock import FASTEST_BPM
from device.clock.given_tempo import GivenTempo
from device.clock.meter import Meter
from device.clock.step import DOUBTED, ClockPulse, Step
from device.events import Doubt

PULSES_PER_QUARTER = 24
FASTEST_PULSE_S = 60.0 / FASTEST_BPM / PULSES_PER_QUARTER
WINDOW = 12
"""Number of pulses that the line is fitted to: half a quarter note, because cables jitter by a millisecond."""
LEAST = 3
"""Smallest number of pulses to which a line can be fitted."""
LATE = 0.5
"""A pulse is set aside if it is late by more than this share of a pulse interval.

If the next pulse follows within the same share, both were delayed on the way and the old line is kept. If it follows
later, the tempo has changed, and a new line begins with these two pulses.
"""
PULSES_PER_SIXTEENTH = PULSES_PER_QUARTER // 4
LATEST = 0.4
"""A step is skipped if less than this share of its length is left before its time."""
FADE_S = 0.5
"""Without pulses the grid continues, and the lock falls by a factor of e in this many seconds."""


class MidiClock(GivenTempo):
    """Gives the steps of a grid that follows another device: six pulses are a sixteenth, Start begins the first bar.

    If the pulses come without a Start, because the box was plugged in later, the first onset of the player begins a bar
    on the nearest pulse. Stop ends the grid. Continue resumes it at the same position, or at a song position sent
    before.
    """

    counting_in = False

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._pulses_per_step = float(PULSES_PER_QUARTER * meter.step_quarters)
        self.reset()

    def reset(self) -> None:
        """Forget all heard notes and given steps: see `Clock.reset`."""
        self._line = PulseLine()
        self._number = -1
        """Number of the last pulse, counted from 0 at the start of the first bar."""
        self._runs = False
        self._told = False
        """Whether a Start, Stop or Continue has been heard."""
        self._planned: deque[Step] = deque()
        self._next = 0
        self._index = 0
        self._last_step_s = -math.inf

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Begin a bar with this note if pulses come without a Start, else do nothing: see `Clock.hear`."""
        if self._runs or self._told or not self._line.known:
            return
        last_s, pulse_s = self._line.fit()
        self._number = round((last_s - onset_s) / pulse_s)
        self._begin()

    def pulse(self, pulse: ClockPulse, at_s: float) -> None:
        """Use a message of a MIDI clock: see `Clock.pulse`."""
        self._plan(at_s)
        if pulse.kind == "clock":
            self._tick(at_s)
            return
        self._told = True
        if pulse.kind == "stop":
            self._runs = False
            self._planned.clear()
        elif pulse.kind == "songpos":
            self._number = pulse.sixteenths * PULSES_PER_SIXTEENTH - 1
        else:
            if pulse.kind == "start":
                self._number = -1
            # the next pulse begins the bar, even if it comes long after the pulse before
            self._line.clear()
            self._begin()

    def due(self, now_s: float) -> Step | None:
        """Return the next step if it is time to give it, else None: see `Clock.due`."""
        self._plan(now_s)
        return self._planned.popleft() if self._planned else None

    def _plan(self, now_s: float) -> None:
        """Plan the steps whose plan time has come. Skip steps that can no longer be planned ahead."""
        if not self._runs or not self._line.known:
            return
        last_s, pulse_s = self._line.fit()
        length_s = pulse_s * self._pulses_per_step
        while True:
            time_s = last_s + (self._next * self._pulses_per_step - self._number) * pulse_s
            if time_s - length_s > now_s:
                return
            if time_s > max(now_s + LATEST * length_s, self._last_step_s):
                position = self._next % self._meter.steps_per_bar
                lock = self._lock(now_s, pulse_s)
                doubt = Doubt("no pulses") if lock < DOUBTED else None
                self._planned.append(Step(self._index, time_s, length_s, position, self._meter, lock, doubt))
                self._last_step_s = time_s
                self._index += 1
            self._next += 1

    def _begin(self) -> None:
        self._runs = True
        self._next = max(0, math.ceil(self._number / self._pulses_per_step))

    def _tick(self, at_s: float) -> None:
        new_line = self._line.tick(at_s)
        if not self._runs:
            return
        self._number += 1
        if new_line:
            self._begin()

    def _lock(self, now_s: float, pulse_s: float) -> float:
        late_s = max(0.0, now_s - self._line.last_s - 2 * pulse_s)
        return self._line.certainty * math.exp(-late_s / FADE_S)


class PulseLine:
    """Fits a least-squares line to the times of pulses, in seconds, and finds changes of the tempo.

    Delayed pulses are counted, but the line is fitted without them.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all pulses."""
        self._count = 0
        self._on: deque[tuple[int, float]] = deque(maxlen=WINDOW)
        self._late: tuple[int, float] | None = None
        self.last_s = -math.inf
        """Time of the last pulse in seconds, on the line or not."""

    @property
    def certainty(self) -> float:
        """Share of `WINDOW` that the pulses on the line fill, from 0 to 1."""
        return len(self._on) / WINDOW

    @property
    def known(self) -> bool:
        """Whether enough pulses (3) have come for a line."""
        return len(self._on) >= LEAST

    def tick(self, at_s: float) -> bool:
        """Add the pulse that came at `at_s` seconds. Return True if a new line begins.

        A new line begins with the last two pulses if both came late and were not merely delayed: see `LATE`. The other
        device has then become slower or has paused. Any other late pulse is counted, but the line is fitted without it.
        """
        self._count += 1
        self.last_s = at_s
        if self.known:
            due_s, pulse_s = self.fit()
            if at_s > due_s + LATE * pulse_s:
                leader, self._late = self._late, (self._count, at_s)
                if leader is None or at_s - leader[1] < LATE * pulse_s:
                    return False
                self._on.clear()
                self._on += [leader, self._late]
                self._late = None
                return True
        self._late = None
        self._on.append((self._count, at_s))
        return False

    def fit(self) -> tuple[float, float]:
        """Return the time at which the line puts the last pulse, and the pulse interval, both in seconds.

        Use it only if `known` is true.
        """
        counts, times = np.asarray(self._on).T
        slope, due_s = np.polyfit(counts - self._count, times, 1)
        return float(due_s), max(float(slope), FASTEST_PULSE_S)
