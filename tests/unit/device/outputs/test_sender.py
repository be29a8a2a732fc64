"""The sender's thread sends each message on time and ends in silence. The tests use a simulated clock."""

from __future__ import annotations

import threading
from itertools import pairwise

import mido
import pytest

from device.events import Send
from device.outputs import sender as sender_module
from device.outputs.sender import SILENCED_TIMES
from device.status.faults import Faults
from tests.unit.helpers.patience import PATIENCE_S, patiently
from tests.unit.helpers.sender_time import LEAST_WAIT_S, Clock, Port, simulated, started

PERMITTED_S = 0.3
"""MIDI: an instrument that was sent Active Sensing and then gets nothing for so long lets go of all keys."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return simulated(monkeypatch)


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


def test_a_sender_without_messages_wakes_only_to_sense_and_to_look_for_a_stall(clock: Clock) -> None:
    woken_s: set[float] = set()
    wait = clock.waited

    def waited(seconds: float) -> None:
        woken_s.add(clock.now_s)
        wait(seconds)

    clock.waited = waited  # type: ignore[method-assign]
    sender = started(Port(clock).send, stall_s=0.25)  # type: ignore[arg-type]
    sender.alive()
    clock.pass_until(1.0)
    sender.close()
    # five times for Active Sensing, once for the stall, and at the start
    assert len(woken_s) <= 8


def test_a_message_behind_the_first_one_does_not_wake_the_thread(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = started(Port(clock).send)
    woken: list[float] = []
    monkeypatch.setattr(type(sender._changed), "notify", lambda self: woken.append(clock.now_s))
    sender.put([Send(50.0, 0, "note_on", 40, 64)])
    sender.put([Send(60.0, 0, "note_off", 40, 0)])
    assert len(woken) == 1
    sender.put([Send(40.0, 0, "note_on", 41, 64)])
    assert len(woken) == 2
    sender.close()


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
    clock.sleep(0.4)
    assert sender.hangs
    let.set()
    sender.close()


def test_a_process_that_was_stopped_for_long_takes_no_port_for_hung(clock: Clock) -> None:
    sender = started(Port(clock).send)
    clock.pass_until(sender_module.SENSING_S)
    # the thread cannot run while this one has the condition
    with clock.condition:
        clock.sleep(2 * sender_module.HUNG_S)
        assert not sender.hangs
    sender.close()


def test_a_loop_that_stops_twice_while_the_thread_is_busy_has_stalled_twice(clock: Clock) -> None:
    port, faults = Port(clock), Faults()

    def slow(message: mido.Message) -> None:
        port.send(message)
        if port.notes[1:] == [("note_off", 40)]:
            # while the thread releases the key of the first stall, the loop runs for a hop and stops again
            sender.alive()
            clock.now_s += 0.2

    sender = started(slow, stall_s=0.05, faults=faults)  # type: ignore[arg-type]
    sender.put([Send(0.0, 0, "note_on", 40, 64)])
    patiently(lambda: port.notes)
    sender.alive()
    clock.pass_until(0.3)
    patiently(lambda: faults["stalls"] == 2)
    sender.close()
