"""The player's switches and knobs, and a MIDI clock, live: from RtMidi's threads to the loop."""

from __future__ import annotations

import queue
from collections.abc import Iterable

import mido

from device.clock.step import KINDS, ClockPulse
from device.settings.controls import Action, Controls
from device.stream_time import StreamTime

MOST_WAITING = 256
"""A knob that is turned says so a few dozen times within a hop at most."""


class ControlQueue:
    """Messages of `controls`, and those of a MIDI clock where it `keeps_time`, whichever port they come from."""

    def __init__(self, controls: Controls, keeps_time: bool = False) -> None:
        self._controls = controls
        self.keeps_time = keeps_time
        """Whether it takes MIDI clock messages."""
        self._queue: queue.Queue[tuple[mido.Message, float]] = queue.Queue(MOST_WAITING)

    def take(self, message: mido.Message, at_s: float) -> bool:
        """Whether `message`, received at `at_s` of monotonic time, is a control's; from any thread."""
        if not (self._controls.takes(message) or (self.keeps_time and message.type in KINDS)):
            return False
        if not self._queue.full():
            self._queue.put_nowait((message, at_s))
        return True

    def asked(self, stream_time: StreamTime, now_s: float) -> list[tuple[Action | ClockPulse, float]]:
        """By the loop, at `now_s` of stream time: what was asked for since the last call, and when in stream time."""
        asked: list[tuple[Action | ClockPulse, float]] = []
        while not self._queue.empty():
            message, at_s = self._queue.get_nowait()
            ago_s = max(0.0, stream_time.wall(now_s) - at_s) if stream_time.known else 0.0
            pulse = ClockPulse.of(message)
            meant: Iterable[Action | ClockPulse] = self._controls.actions(message) if pulse is None else (pulse,)
            asked += [(action, max(0.0, now_s - ago_s)) for action in meant]
        return asked
