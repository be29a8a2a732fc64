"""A clock that follows MIDI clock: 24 pulses a quarter note, with Start, Stop, Continue and the song position."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal, TypeAlias

import mido

from device.clock import Step
from device.meter import Meter
from device.pulseline import PULSES_PER_QUARTER, PulseLine

PULSES_PER_SIXTEENTH = PULSES_PER_QUARTER // 4
LATEST = 0.4
"""Of a step's length before it, when it may be planned at the latest."""
FADE_S = 0.5
"""Without pulses the grid goes on as it was, and the lock falls by e in so many seconds."""

PulseKind: TypeAlias = Literal["clock", "start", "continue", "stop", "songpos"]
KINDS: tuple[PulseKind, ...] = ("clock", "start", "continue", "stop", "songpos")


@dataclass(frozen=True, slots=True)
class Pulse:
    """A message of a MIDI clock; `sixteenths` is the position that a `songpos` names."""

    kind: PulseKind
    sixteenths: int = 0

    @classmethod
    def of(cls, message: mido.Message) -> Pulse | None:
        """What `message` says of the time; None: nothing."""
        if message.type not in KINDS:
            return None
        return cls(message.type, message.pos if message.type == "songpos" else 0)


class MidiClock:
    """The grid of whoever sends the pulses: a sixteenth every six, the first bar at Start.

    Where pulses come without a Start, as they do when the box is plugged in later, the player's first onset is a
    bar's start, on the pulse nearest to it. Stop ends the grid, Continue takes it up where it was.
    """

    counting_in = False

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._pulses_per_step = PULSES_PER_SIXTEENTH if meter.compound else PULSES_PER_QUARTER / meter.beat_type
        self.reset()

    def reset(self) -> None:
        """See `Clock.reset`."""
        self._line = PulseLine()
        self._number = -1
        """Of the last pulse, from the first bar's start on."""
        self._runs = False
        self._told = False
        """Whether a Start, Stop or Continue has been heard."""
        self._planned: deque[Step] = deque()
        self._next = 0
        self._index = 0
        self._last_step_s = -math.inf

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """See `Clock.hear`."""
        if self._runs or self._told or not self._line.known:
            return
        last_s, pulse_s = self._line.fit()
        self._number = round((last_s - onset_s) / pulse_s)
        self._begin()

    def tap(self, at_s: float) -> None:
        """Changes nothing: the pulses tell the tempo, and Start the bar."""

    def pulse(self, pulse: Pulse, at_s: float) -> None:
        """Take in a message that came at `at_s`."""
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
            # the next pulse begins the bar, however long after the one before it comes
            self._line.clear()
            self._begin()

    def due(self, now_s: float) -> Step | None:
        """See `Clock.due`."""
        self._plan(now_s)
        return self._planned.popleft() if self._planned else None

    def _plan(self, now_s: float) -> None:
        """Fix the steps whose time to be planned has come; what could no longer be planned ahead is left out."""
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
                self._planned.append(Step(self._index, time_s, length_s, position, self._meter, lock))
                self._last_step_s = time_s
                self._index += 1
            self._next += 1

    def _begin(self) -> None:
        self._runs = True
        self._next = max(0, math.ceil(self._number / self._pulses_per_step))

    def _tick(self, at_s: float) -> None:
        anew = self._line.tick(at_s)
        if not self._runs:
            return
        self._number += 1
        if anew:
            self._begin()

    def _lock(self, now_s: float, pulse_s: float) -> float:
        late_s = max(0.0, now_s - self._line.last_s - 2 * pulse_s)
        return self._line.certainty * math.exp(-late_s / FADE_S)
