"""Which control a person presses: what counts as a press, and the word for the kind of the switch."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import mido
import pytest

from device.ports import next_press
from device.ports.next_press import control_of, kind_of, listen
from device.ports.port import Port

PORTS = [Port("Pedal 20:0", "ALSA", 0), Port("Piano 24:0", "ALSA", 1), Port("lefthand in", "ALSA", 2)]


@pytest.mark.parametrize(
    ("message", "control"),
    [
        (mido.Message("control_change", control=80, value=127), ("cc 80", 127)),
        (mido.Message("control_change", control=123, value=0), None),
        (mido.Message("note_on", note=36, velocity=90), ("note 36", 90)),
        (mido.Message("note_on", note=36, velocity=0), ("note 36", 0)),
        (mido.Message("note_off", note=36, velocity=64), ("note 36", 0)),
        (mido.Message("program_change", program=4), ("program 5", 0)),
        (mido.Message("pitchwheel", pitch=5), None),
        (mido.Message("start"), None),
    ],
)
def test_which_messages_a_switch_sends(message: mido.Message, control: tuple[str, int] | None) -> None:
    assert control_of(message) == control


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([(127, 0.0)], ""),
        ([(127, 0.0), (0, 0.3)], ""),
        ([(0, 0.0), (127, 0.3)], " inverted"),
        ([(127, 0.0), (0, 2.0)], " latching"),
        ([(0, 0.0), (127, 2.0)], " latching"),
        ([(127, 0.0), (127, 2.0)], ""),
        # a pedal that goes down in steps, also after a message at rest
        ([(3, 0.0), (20, 0.02), (127, 0.04)], ""),
        ([(0, 0.0), (40, 5.0), (127, 5.02)], ""),
        ([(3, 0.0), (127, 0.02), (60, 0.2), (0, 0.22)], ""),
        ([(124, 0.0), (90, 0.02), (0, 0.04)], " inverted"),
        ([(127, 0.0), (60, 5.0), (0, 5.1), (70, 5.3), (127, 5.35)], " inverted"),
        # a contact that bounces
        ([(127, 0.0), (0, 0.003), (127, 0.006), (0, 0.3)], ""),
        ([(0, 0.0), (127, 0.003), (0, 0.006), (127, 0.3)], " inverted"),
    ],
)
def test_the_kind_of_a_switch(values: list[tuple[int, float]], word: str) -> None:
    assert kind_of(values) == word


class Inputs:
    """Simulated MIDI inputs with a clock. `presses` are (port, message, seconds after the one before)."""

    def __init__(self, presses: Sequence[tuple[str, mido.Message, float]]) -> None:
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.now_s = 100.0
        times = itertools.accumulate((after_s for *_, after_s in presses), initial=self.now_s)
        next(times)
        self.waiting = [(at_s, name, message) for at_s, (name, message, _) in zip(times, presses, strict=True)]

    def open(self, port: Port) -> Any:
        self.opened.append(port.name)

        def messages() -> list[mido.Message]:
            come = [one for one in self.waiting if one[0] <= self.now_s and one[1] == port.name]
            self.waiting = [one for one in self.waiting if one not in come]
            return [message for *_, message in come]

        return SimpleNamespace(port=port, messages=messages, close=lambda: self.closed.append(port.name))

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


def learnt(monkeypatch: pytest.MonkeyPatch, *presses: tuple[str, mido.Message, float]) -> Any:
    """Return the text that is printed after these presses."""
    inputs = Inputs(presses)
    monkeypatch.setattr(next_press, "midi_inputs", lambda: PORTS)
    monkeypatch.setattr(next_press, "PolledInput", inputs.open)
    monkeypatch.setattr(next_press, "time", SimpleNamespace(monotonic=lambda: inputs.now_s, sleep=inputs.sleep))
    found = listen(15.0, "Piano")
    assert inputs.opened == ["Pedal 20:0", "Piano 24:0"] and sorted(inputs.closed) == inputs.opened
    return found


def test_the_port_and_the_control_of_a_press_are_found_among_other_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    pedal, key = "Pedal 20:0", "Piano 24:0"
    found = learnt(
        monkeypatch,
        (key, mido.Message("note_off", note=60), 0.1),  # the end of a key that was down before
        (key, mido.Message("pitchwheel", pitch=9), 0.1),
        (pedal, mido.Message("control_change", control=80, value=127), 0.1),
        (key, mido.Message("note_on", note=60, velocity=60), 0.1),
        (pedal, mido.Message("control_change", control=80, value=0), 2.0),
    )
    assert found == {"port": "Pedal", "control": "cc 80 latching", "on_keyboard": False}


def test_a_pad_of_the_player_s_own_keyboard_needs_no_other_port(monkeypatch: pytest.MonkeyPatch) -> None:
    pad = mido.Message("note_on", note=36, velocity=99)
    found = learnt(monkeypatch, ("Piano 24:0", pad, 0.1), ("Piano 24:0", mido.Message("note_off", note=36), 0.2))
    assert found == {"port": "Piano", "control": "note 36", "on_keyboard": True}


def test_a_program_is_complete_at_once_and_one_message_is_enough_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learnt(monkeypatch, ("Pedal 20:0", mido.Message("program_change", program=4), 0.1))["control"] == "program 5"
    fixed = mido.Message("control_change", control=81, value=127)
    assert learnt(monkeypatch, ("Pedal 20:0", fixed, 0.1))["control"] == "cc 81"


def cc(number: int, value: int, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=number, value=value, channel=channel)


@pytest.mark.parametrize(
    ("messages", "control"),
    [
        # a keyboard with two sounds sends its pedal on two channels
        ([(cc(64, 0), 0.1), (cc(64, 0, 1), 0.003), (cc(64, 127), 0.4), (cc(64, 127, 1), 0.003)], "cc 64 inverted"),
        ([(cc(64, 127), 0.1), (cc(64, 127, 1), 0.003), (cc(64, 0), 2.0), (cc(64, 0, 1), 0.003)], "cc 64 latching"),
        # a switch that repeats its value while it is down
        ([(cc(80, 0), 0.1), (cc(80, 0), 0.1), (cc(80, 127), 0.1)], "cc 80 inverted"),
        # a pedal that trembles at rest, then goes down in steps
        ([(cc(4, 1), 0.1), (cc(4, 2), 0.5), (cc(4, 60), 2.0), (cc(4, 127), 0.02)], "cc 4"),
        ([(cc(4, 127), 0.1), (cc(4, 126), 0.5), (cc(4, 60), 2.0), (cc(4, 0), 0.02)], "cc 4 inverted"),
        # a switch beside a pedal that trembles, and a soft pad
        ([(cc(4, 1), 0.1), (cc(4, 2), 0.1), (cc(80, 127), 0.1), (cc(4, 1), 0.1), (cc(80, 0), 0.1)], "cc 80"),
        ([(mido.Message("note_on", note=36, velocity=9), 0.1), (mido.Message("note_off", note=36), 0.1)], "note 36"),
        # a foot controller selects the bank before the program
        ([(cc(0, 1), 0.1), (cc(32, 0), 0.001), (mido.Message("program_change", program=4), 0.001)], "program 5"),
        # a parameter by number, down and up
        ([(cc(99, 1), 0.1), (cc(98, 8), 0.001), (cc(6, 127), 0.001), (cc(99, 1), 0.3), (cc(6, 0), 0.01)], "cc 6"),
        # buttons and faders that have the numbers of the bank select
        ([(cc(32, 127), 0.1), (cc(32, 0), 0.3)], "cc 32"),
        ([(cc(0, 127), 0.1), (cc(0, 0), 2.0)], "cc 0 latching"),
    ],
)
def test_a_press_of_several_messages_is_one_control(
    monkeypatch: pytest.MonkeyPatch, messages: list[tuple[mido.Message, float]], control: str
) -> None:
    found = learnt(monkeypatch, *(("Pedal 20:0", message, after_s) for message, after_s in messages))
    assert found["control"] == control


def test_without_a_press_nothing_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learnt(monkeypatch) is None
    assert learnt(monkeypatch, *(("Pedal 20:0", cc(4, 1 + at % 2), 0.4) for at in range(30))) is None


def melody(notes: int, apart_s: float, key: int | None = None) -> list[tuple[str, mido.Message, float]]:
    """Return the strikes and releases of a melody on the player's keyboard, or of one `key` again and again."""
    return [
        ("Piano 24:0", mido.Message(kind, note=72 + i % 5 if key is None else key), after_s)
        for i in range(notes)
        for kind, after_s in (("note_on", apart_s - 0.1), ("note_off", 0.1))
    ]


def test_a_melody_on_the_player_s_keyboard_is_no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert learnt(monkeypatch, *melody(30, 0.5)) is None
    assert learnt(monkeypatch, *melody(14, 1.0)) is None
    # a count-in, and a melody after it
    assert learnt(monkeypatch, *melody(4, 0.6, 67), *melody(30, 0.4)) is None
    pedal = "Pedal 20:0"
    for before in (1, 4, 9):
        beside = [(pedal, cc(80, 127), 0.05), *melody(2, 0.4), (pedal, cc(80, 0), 0.05), *melody(9, 0.4)]
        assert learnt(monkeypatch, *melody(before, 0.4), *beside)["control"] == "cc 80"
    # the player has stopped, and presses a pad
    pad = [
        ("Piano 24:0", mido.Message("note_on", note=36), 2.0),
        ("Piano 24:0", mido.Message("note_off", note=36), 0.2),
    ]
    assert learnt(monkeypatch, *melody(9, 0.5), *pad)["control"] == "note 36"
