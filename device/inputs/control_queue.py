"""Carries messages of the player's switches and knobs, and of a MIDI clock, from RtMidi's threads to the loop."""

from __future__ import annotations

import queue
from collections.abc import Iterable
from typing import TypeAlias

import mido

from device.clock.step import KINDS, ClockPulse, UseClock
from device.settings.controls import Action, Controls, Tap
from device.stream_time import StreamTime

Asked: TypeAlias = Action | ClockPulse | UseClock
"""An item that the queue gives to `Engine.act`: an action, a pulse of a MIDI clock, or a new clock."""
MOST_WAITING = 256
"""Messages. A knob that is turned sends a few dozen messages in a hop at most, so this leaves room."""
AHEAD_S = 0.064
"""Seconds by which a tap or a pulse may come after the end of the hop that it is taken with.

While the loop rests, it takes four hops of 16 ms late, see `device.inputs.rest`.
"""


class ControlQueue:
    """Collects MIDI messages of the switches in `controls`. With `keeps_time` it also collects MIDI clock messages."""

    def __init__(self, controls: Controls, keeps_time: bool = False) -> None:
        self._controls = controls
        self.keeps_time = keeps_time
        """True if the queue takes MIDI clock messages."""
        self._queue: queue.Queue[tuple[mido.Message | Asked, float]] = queue.Queue(MOST_WAITING)

    def take(self, message: mido.Message, at_s: float) -> bool:
        """Queue `message` if it is a control or clock message, and return whether it is one.

        `at_s` is its time of arrival in monotonic seconds. If the queue is full, the message is lost, but the result is
        the same. Any thread may call this.
        """
        if not (self._controls.takes(message) or (self.keeps_time and message.type in KINDS)):
            return False
        if not self._queue.full():
            self._queue.put_nowait((message, at_s))
        return True

    def ask(self, asked: Asked, at_s: float) -> bool:
        """Queue an action that does not come from a switch, such as one of the page.

        `at_s` is its time in monotonic seconds. Returns False if the queue is full. Any thread may call this.
        """
        try:
            self._queue.put_nowait((asked, at_s))
        except queue.Full:
            return False
        return True

    def asked(self, stream_time: StreamTime, now_s: float) -> list[tuple[Asked, float]]:
        """Empty the queue. Return its actions, clock pulses and new clocks, each with its time in stream seconds.

        `now_s` is the stream time in seconds at the end of the hop. `stream_time` converts the times of arrival. Taps
        and pulses that came later have later times, because the clock needs their distances. Only the loop calls this.
        """
        asked: list[tuple[Asked, float]] = []
        while not self._queue.empty():
            message, at_s = self._queue.get_nowait()
            ago_s = max(-AHEAD_S, stream_time.wall(now_s) - at_s) if stream_time.known else 0.0
            for action in self._meant(message, at_s):
                is_timed = isinstance(action, Tap | ClockPulse)
                asked.append((action, max(0.0, now_s - (ago_s if is_timed else max(0.0, ago_s)))))
        return asked

    def _meant(self, message: mido.Message | Asked, at_s: float) -> Iterable[Asked]:
        if not isinstance(message, mido.Message):
            return (message,)
        pulse = ClockPulse.of(message)
        return self._controls.actions(message, at_s) if pulse is None else (pulse,)
