"""Which control a person presses: what counts as a press, and the word for the kind of the switch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import mido
import pytest

from device.ports import next_press
from device.ports.next_press import control_of, kind_of, listen
from device.ports.port import Port
from tests.unit.helpers.seams import patiently

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
    ],
)
def test_the_kind_of_a_switch(values: list[tuple[int, float]], word: str) -> None:
    assert kind_of(values) == word


class Inputs:
    """Simulated MIDI inputs. `press` sends a message on one of them, `after_s` seconds after the one before."""

    def __init__(self) -> None:
        self.taken: dict[str, Callable[[mido.Message, float], object]] = {}
        self.closed: list[str] = []
        self.now_s = time.monotonic()

    def open(self, port: Port) -> Any:
        inputs = self

        class Opened:
            def start(self, received: Callable[[mido.Message, float], object]) -> None:
                inputs.taken[port.name] = received

            def close(self) -> None:
                inputs.closed.append(port.name)

        return Opened()

    def press(self, name: str, message: mido.Message, after_s: float = 0.2) -> None:
        self.now_s += after_s
        self.taken[name](message, self.now_s)


@pytest.fixture
def inputs(monkeypatch: pytest.MonkeyPatch) -> Inputs:
    made = Inputs()
    monkeypatch.setattr(next_press, "midi_inputs", lambda: PORTS)
    monkeypatch.setattr(next_press, "InputPort", made.open)
    return made


def learnt(inputs: Inputs, *presses: tuple[str, mido.Message, float], seconds: float = 60.0) -> Any:
    """What is printed after these presses."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(listen(seconds, "Piano")))
    thread.start()
    patiently(lambda: len(inputs.taken) == 2)
    for press in presses:
        inputs.press(*press)
    thread.join()
    assert inputs.closed == ["Piano 24:0", "Pedal 20:0"]
    return found[0]


def test_the_port_and_the_control_of_a_press_are_found_among_other_messages(inputs: Inputs) -> None:
    pedal, key = "Pedal 20:0", "Piano 24:0"
    found = learnt(
        inputs,
        (key, mido.Message("note_off", note=60), 0.1),  # the end of a key that was down before
        (key, mido.Message("pitchwheel", pitch=9), 0.1),
        (pedal, mido.Message("control_change", control=80, value=127), 0.1),
        (key, mido.Message("note_on", note=60, velocity=60), 0.1),
        (pedal, mido.Message("control_change", control=80, value=0), 2.0),
    )
    assert found == {"port": "Pedal", "control": "cc 80 latching", "on_keyboard": False}


def test_a_pad_of_the_player_s_own_keyboard_needs_no_other_port(inputs: Inputs) -> None:
    pad = mido.Message("note_on", note=36, velocity=99)
    found = learnt(inputs, ("Piano 24:0", pad, 0.1), ("Piano 24:0", mido.Message("note_off", note=36), 0.2))
    assert found == {"port": "Piano", "control": "note 36", "on_keyboard": True}


def test_a_program_is_complete_at_once_and_one_message_is_enough_at_the_end(inputs: Inputs) -> None:
    assert learnt(inputs, ("Pedal 20:0", mido.Message("program_change", program=4), 0.1))["control"] == "program 5"
    inputs.taken.clear()
    inputs.closed.clear()
    fixed = mido.Message("control_change", control=81, value=127)
    assert learnt(inputs, ("Pedal 20:0", fixed, 0.1), seconds=0.5)["control"] == "cc 81"


def test_without_a_press_nothing_is_learnt(inputs: Inputs) -> None:
    assert learnt(inputs, seconds=0.1) is None
