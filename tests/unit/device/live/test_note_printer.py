"""`lefthand run --print` prints each note in one line, and never holds the audio loop up."""

from __future__ import annotations

import threading

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from device.cli import main
from device.events import Beat, Event, Hand, Note, NoteEnded, NoteHeard, Send
from device.live.note_printer import MOST_LINES, NotePrinter, line_of
from tests.unit.helpers.patience import patiently
from tests.unit.helpers.seams import Stage, seams


def heard(pitch: int, hand: Hand, velocity: int = 64) -> NoteHeard:
    return NoteHeard(Note(1.5, None, pitch, velocity, 1.0, 1.6, hand))


def test_a_line_has_time_name_velocity_and_hand() -> None:
    events: list[Event] = [
        heard(60, "right"),
        heard(21, "left", 5),
        heard(60, "own"),
        NoteEnded(60, 1.5, 1.9, 2.0),
        Beat(1.5, 1.4, 0, 1.0, 4),
        Send(12.25, 12.0, "note_on", 42, 100),
        Send(12.5, 12.0, "note_off", 42, 0),
        Send(12.5, 12.0, "control", 64, 127),
    ]
    printed = list[str]()
    printer = NotePrinter(printed.append)
    printer.take(events)
    printer.close()
    assert printed == [
        "    1.500 s  C4   velocity  64  right",
        "    1.500 s  A0   velocity   5  left",
        "   12.250 s  F#2  velocity 100  box",
    ]


@given(st.integers(0, 127), st.integers(0, 127), st.floats(allow_nan=True), st.sampled_from(["right", "left"]))
def test_no_line_has_a_control_character(pitch: int, velocity: int, at_s: float, hand: Hand) -> None:
    for event in (
        NoteHeard(Note(at_s, None, pitch, velocity, 1.0, at_s, hand)),
        Send(at_s, at_s, "note_on", pitch, velocity),
    ):
        line = line_of(event)
        assert line is not None and line.isprintable()


def test_a_pipe_that_takes_nothing_does_not_stop_the_loop() -> None:
    opens, reached = threading.Event(), threading.Event()

    def write(line: str) -> None:
        reached.set()
        assert opens.wait(60)

    printer = NotePrinter(write)
    printer.take([heard(60, "right")])
    patiently(reached.is_set)
    # the thread waits inside `write`, and this thread goes on
    printer.take([heard(61, "right")] * (MOST_LINES + 10))
    assert printer.left_out == 10
    opens.set()
    printer.close()


def test_a_closed_pipe_ends_the_printing_alone() -> None:
    tried = list[str]()

    def write(line: str) -> None:
        tried.append(line)
        raise BrokenPipeError

    printer = NotePrinter(write)
    printer.take([heard(60, "right")])
    patiently(lambda: tried)
    printer.take([heard(60, "right")])
    printer.close()
    assert len(tried) == 1


def test_a_session_prints_what_it_hears_and_plays(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, printed = Stage(3), list[str]()
    printer = NotePrinter(printed.append)
    monkeypatch.setattr(stage.monitor, "_printer", printer)
    with seams(stage):
        opened = stage.open()
        stage.play(20)
        opened.check()
        opened.close()
    printer.close()
    assert sum(line.endswith("C5   velocity  64  right") for line in printed) == 20
    assert any(line.endswith("box") for line in printed)


def test_the_service_does_not_print() -> None:
    ran = CliRunner().invoke(main, ["run", "--wait", "--print"])
    assert ran.exit_code == 2
    assert "--print is for a run in a terminal" in ran.output
