"""The sender's thread: each message at its time, and silence at the end."""

from __future__ import annotations

import time

import mido

from device.outbox import Outbox
from device.sender import Sender
from device.streamtime import StreamTime
from device.types import Send


class Port:
    """Takes what is sent, with the time."""

    def __init__(self) -> None:
        self.got: list[tuple[float, mido.Message]] = []

    def send(self, message: mido.Message) -> None:
        self.got.append((time.monotonic(), message))

    @property
    def notes(self) -> list[tuple[str, int]]:
        return [(m.type, m.note) for _, m in self.got if m.type != "control_change"]


def started(port: Port, lead_s: float = 0.0) -> tuple[Sender, float]:
    stream_time = StreamTime()
    start_s = time.monotonic()
    stream_time.arrived(0.0, start_s)
    return Sender(Outbox(), port.send, stream_time, lead_s), start_s


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
    sender = Sender(Outbox(), broken, stream_time, failed=failures.append)
    sender.put([Send(0.0, 0, "note_on", 40, 64)])
    sender.close()
    assert [str(failure) for failure in failures] == ["unplugged"]
