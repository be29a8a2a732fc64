"""A simulated time for the sender, and a port that keeps what it was sent with the times."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace

import mido
import pytest

from device.outputs import sender as sender_module
from device.outputs.send_queue import SendQueue
from device.outputs.sender import Sender
from device.stream_time import StreamTime
from tests.unit.helpers.patience import patiently

START_S = 1000.0
LEAST_WAIT_S = 1e-6
"""Shortest wait in seconds, so that a wait that floating point rounds to zero still ends."""


class Clock:
    """Monotonic seconds that pass only while the sender waits, and no further than the test lets them."""

    def __init__(self) -> None:
        self.now_s = self._until_s = START_S
        self.condition = threading.Condition()

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def pass_until(self, seconds: float) -> None:
        """Lets time pass up to so many seconds after START_S, and returns when it has."""
        self._until_s = START_S + seconds
        patiently(lambda: self.now_s >= self._until_s)

    def waited(self, seconds: float) -> None:
        """The sender waits; it is called with the condition held."""
        end_s = min(self.now_s + max(seconds, LEAST_WAIT_S), self._until_s)
        if end_s > self.now_s:
            self.now_s = end_s
        else:
            self.condition.wait(0.001)


class Condition:
    """The sender's condition, whose waiting is what makes the time pass."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __enter__(self) -> None:
        self._clock.condition.acquire()

    def __exit__(self, *_: object) -> None:
        self._clock.condition.release()

    def notify(self) -> None:
        self._clock.condition.notify()

    def wait(self, seconds: float) -> None:
        self._clock.waited(seconds)


class Port:
    """Keeps the sent messages with their times."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.got: list[tuple[float, mido.Message]] = []

    def send(self, message: mido.Message) -> None:
        self.got.append((self._clock.now_s - START_S, message))

    @property
    def notes(self) -> list[tuple[str, int]]:
        return [(m.type, m.note) for _, m in self.got if m.type in ("note_on", "note_off")]

    @property
    def is_silenced(self) -> bool:
        """Whether the last thing that it got is "all notes off"."""
        return bool(self.got) and self.got[-1][1].is_cc(123)


def simulated(patch: pytest.MonkeyPatch) -> Clock:
    """Give the sender a simulated time, and return it."""
    made = Clock()
    patch.setattr(sender_module, "time", made)
    threads = SimpleNamespace(Condition=lambda: Condition(made), Thread=threading.Thread)
    patch.setattr(sender_module, "threading", threads)
    return made


def started(send: Callable[[mido.Message], object], lead_s: float = 0.0, **more: Callable[[Exception], None]) -> Sender:
    """A sender whose stream began at START_S."""
    stream_time = StreamTime()
    stream_time.arrived(0.0, START_S)
    return Sender(SendQueue(), send, stream_time, lead_s, **more)  # type: ignore[arg-type]
