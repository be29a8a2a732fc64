"""The sender's thread sends each message on time and ends in silence. The tests use a simulated clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import mido
import pytest

from device.events import Send
from device.outputs import sender as sender_module
from device.outputs.send_queue import SendQueue
from device.outputs.sender import SILENCED_TIMES, Sender
from device.stream_time import StreamTime

START_S = 1000.0
LEAST_WAIT_S = 1e-6
"""Shortest wait in seconds, so that a wait that floating point rounds to zero still ends."""
PATIENCE_S = 60.0
"""Timeout in seconds for the sender's thread, on a machine that is busy with other work."""
PERMITTED_S = 0.3
"""MIDI: an instrument that was sent Active Sensing and then gets nothing for so long lets go of all keys."""


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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(sender_module, "time", made)
    threads = SimpleNamespace(Condition=lambda: Condition(made), Thread=threading.Thread)
    monkeypatch.setattr(sender_module, "threading", threads)
    return made


def patiently(holds: Callable[[], object]) -> None:
    until_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until_s
        time.sleep(0.001)


def started(send: Callable[[mido.Message], object], lead_s: float = 0.0, **more: Callable[[Exception], None]) -> Sender:
    """A sender whose stream began at START_S."""
    stream_time = StreamTime()
    stream_time.arrived(0.0, START_S)
    return Sender(SendQueue(), send, stream_time, lead_s, **more)  # type: ignore[arg-type]


def test_a_message_leaves_before_its_due_time_by_the_latency_and_never_earlier(clock: Clock) -> None:
    port = Port(clock)
    sender = started(port.send, lead_s=0.02)
    sender.put([Send(0.10, 0, "note_off", 40, 0), Send(0.05, 0, "note_on", 40, 64)])
    clock.pass_until(0.15)
    patiently(lambda: len(port.notes) == 2)
    sender.close()
    assert port.notes == [("note_on", 40), ("note_off", 40)]
    left_s = [at_s for at_s, message in port.got if message.type in ("note_on", "note_off")]
    assert left_s == pytest.approx([0.03, 0.08], abs=2 * LEAST_WAIT_S)


def test_closing_drops_what_waits_and_lets_go_of_what_is_down(clock: Clock) -> None:
    port = Port(clock)
    sender = started(port.send)
    sender.put([Send(0.0, 0, "note_on", 40, 64), Send(60.0, 0, "note_off", 40, 0), Send(50.0, 0, "note_on", 41, 64)])
    patiently(lambda: port.notes)
    sender.close()
    sender.put([Send(0.0, 0, "note_on", 42, 64)])
    patiently(lambda: len(port.notes) > SILENCED_TIMES)
    assert port.notes == [("note_on", 40), *SILENCED_TIMES * [("note_off", 40)]]


def test_a_port_that_fails_is_told_of(clock: Clock) -> None:
    def broken(message: mido.Message) -> None:
        raise OSError("unplugged")

    failures: list[Exception] = []
    sender = started(broken, failed=failures.append)
    sender.put([Send(0.0, 0, "note_on", 40, 64)])
    patiently(lambda: failures)
    sender.close()
    assert [str(failure) for failure in failures] == ["unplugged"]


def test_an_open_port_gets_active_sensing_before_300_ms_are_over(clock: Clock) -> None:
    port = Port(clock)
    sender = started(port.send)
    clock.pass_until(1.1)
    sensed = [at_s for at_s, message in port.got if message.type == "active_sensing"]
    sender.close()
    assert len(sensed) >= 4
    assert all(later - earlier < PERMITTED_S for earlier, later in pairwise([0.0, *sensed, 1.1]))


def test_notes_that_are_long_over_are_not_played_and_still_let_go(clock: Clock) -> None:
    port = Port(clock)
    sender = started(port.send)
    sender.put([Send(0.0, 0, "note_on", 40, 64)])
    patiently(lambda: port.notes)
    late = [Send(-1.0, 0, "note_on", 41, 64), Send(-0.9, 0, "note_off", 41, 0), Send(-0.5, 0, "note_off", 40, 0)]
    sender.put(late)
    patiently(lambda: len(port.notes) >= 2)
    assert port.notes == [("note_on", 40), ("note_off", 40)]
    sender.close()
    patiently(lambda: port.is_silenced)


def test_a_port_that_takes_nothing_any_more_is_noticed(clock: Clock) -> None:
    let = threading.Event()
    taken = threading.Event()

    def take(message: mido.Message) -> None:
        taken.set()
        assert let.wait(PATIENCE_S)

    sender = started(take)
    # it sends up to its first Active Sensing and hangs in that
    clock.pass_until(sender_module.SENSING_S)
    assert taken.wait(PATIENCE_S)
    clock.sleep(sender_module.HUNG_S - 0.3)
    assert not sender.hangs
    clock.sleep(0.3)
    assert sender.hangs
    let.set()
    sender.close()
