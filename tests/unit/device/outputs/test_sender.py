"""The sender's thread: each message at its time, and silence at the end."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

import mido
import pytest

from device.events import Send
from device.outputs import sender as sender_module
from device.outputs.send_queue import SendQueue
from device.outputs.sender import Sender
from device.stream_time import StreamTime


class Port:
    """Takes what is sent, with the time."""

    def __init__(self) -> None:
        self.got: list[tuple[float, mido.Message]] = []

    def send(self, message: mido.Message) -> None:
        self.got.append((time.monotonic(), message))

    @property
    def notes(self) -> list[tuple[str, int]]:
        return [(m.type, m.note) for _, m in self.got if m.type in ("note_on", "note_off")]


def started(port: Port, lead_s: float = 0.0) -> tuple[Sender, float]:
    stream_time = StreamTime()
    start_s = time.monotonic()
    stream_time.arrived(0.0, start_s)
    return Sender(SendQueue(), port.send, stream_time, lead_s), start_s


def test_a_message_leaves_before_its_due_time_by_the_latency_and_never_earlier() -> None:
    port = Port()
    sender, start_s = started(port, lead_s=0.02)
    sender.put([Send(0.10, 0, "note_off", 40, 0), Send(0.05, 0, "note_on", 40, 64)])
    while len(port.got) < 2 and time.monotonic() < start_s + 5:
        time.sleep(0.01)
    sender.close()
    left_s = [at_s - start_s for at_s, _ in port.got[:2]]
    assert port.notes == [("note_on", 40), ("note_off", 40)]
    assert left_s[0] >= 0.03
    assert left_s[1] >= 0.08


def test_closing_drops_what_waits_and_lets_go_of_what_is_down() -> None:
    port = Port()
    sender, start_s = started(port)
    sender.put([Send(0.0, 0, "note_on", 40, 64), Send(60.0, 0, "note_off", 40, 0), Send(50.0, 0, "note_on", 41, 64)])
    while not port.got and time.monotonic() < start_s + 5:
        time.sleep(0.01)
    sender.close()
    sender.put([Send(0.0, 0, "note_on", 42, 64)])
    assert port.notes == [("note_on", 40), ("note_off", 40)]
    assert port.got[-1][1].control == 123


def test_a_port_that_fails_is_told_of() -> None:
    def broken(message: mido.Message) -> None:
        raise OSError("unplugged")

    failures: list[Exception] = []
    stream_time = StreamTime()
    stream_time.arrived(0.0, time.monotonic())
    sender = Sender(SendQueue(), broken, stream_time, failed=failures.append)
    sender.put([Send(0.0, 0, "note_on", 40, 64)])
    sender.close()
    assert [str(failure) for failure in failures] == ["unplugged"]


def test_an_open_port_gets_active_sensing_before_300_ms_are_over() -> None:
    port = Port()
    sender, start_s = started(port)
    time.sleep(1.0)
    sender.close()
    sensed = [at_s - start_s for at_s, message in port.got if message.type == "active_sensing"]
    assert len(sensed) >= 4
    assert all(later - earlier < 0.27 for earlier, later in pairwise([0.0, *sensed]))


def test_notes_that_are_long_over_are_not_played_and_still_let_go() -> None:
    port = Port()
    sender, start_s = started(port)
    sender.put([Send(0.0, 0, "note_on", 40, 64)])
    while not port.notes and time.monotonic() < start_s + 5:
        time.sleep(0.001)
    late = [Send(-1.0, 0, "note_on", 41, 64), Send(-0.9, 0, "note_off", 41, 0), Send(-0.5, 0, "note_off", 40, 0)]
    sender.put(late)
    while len(port.notes) < 2 and time.monotonic() < start_s + 5:
        time.sleep(0.001)
    assert port.notes == [("note_on", 40), ("note_off", 40)]
    sender.close()


def test_a_port_that_takes_nothing_any_more_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender_module, "HUNG_S", 0.3)
    let = threading.Event()
    stream_time = StreamTime()
    stream_time.arrived(0.0, time.monotonic())
    sender = Sender(SendQueue(), lambda message: let.wait(10), stream_time)  # type: ignore[arg-type]
    until_s = time.monotonic() + 5
    while not sender.hangs and time.monotonic() < until_s:
        time.sleep(0.01)
    assert sender.hangs
    let.set()
    sender.close()
