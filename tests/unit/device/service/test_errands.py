"""The errands of the owner, with real processes in place of the calibration and of the wait for a press."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from device.errors import UserError
from device.service import errands as errands_module
from device.service.errands import Errands, Learnt
from device.status.schema import ErrandStatus
from tests.unit.helpers.patience import patiently

CALIBRATES = """
import json, sys, time
for line in ({"said": "playing 2 notes"}, {"played": 1, "of": 2}):
    print(json.dumps(line), flush=True)
sys.stdin.readline()
print(json.dumps({"played": 2, "of": 2}), flush=True)
print(json.dumps({"said": "MIDI: a note is heard 20 ms after it was sent"}), flush=True)
"""
REFUSES = "import sys; print('lefthand: Nothing of the 12 notes came back', file=sys.stderr); sys.exit(2)"
HANGS = "import time; time.sleep(600)"


class Owner:
    """Errands whose processes run `code`."""

    def __init__(self, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words: list[list[str]] = []
        self.changes, self.code = 0, code
        self.errands = Errands(Path("/etc/lefthand.toml"), self._changed)
        begin = subprocess.Popen

        def started(words: list[str], **how: int) -> subprocess.Popen[bytes]:
            self.words.append(words[words.index("-m") :])
            return begin([sys.executable, "-c", self.code], **{**how, "stdin": subprocess.PIPE})  # type: ignore[call-overload,no-any-return]

        monkeypatch.setattr(errands_module.subprocess, "Popen", started)

    def _changed(self) -> None:
        self.changes += 1

    @property
    def now(self) -> ErrandStatus:
        status = self.errands.status
        assert status is not None
        return status

    def go_on(self) -> None:
        child = self.errands._child
        assert child is not None and child.stdin is not None
        child.stdin.write(b"\n")
        child.stdin.flush()


def test_a_calibration_shows_its_notes_and_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(CALIBRATES, monkeypatch)
    owner.errands.calibrate("mic")
    assert owner.errands.calibrates and owner.changes == 1
    seen: list[tuple[int, int]] = []

    def turn() -> bool:
        if owner.now.done == 1 and not seen:
            seen.append((owner.now.done, owner.now.of))
            owner.go_on()
        time.sleep(0.01)
        return True

    owner.errands.measure(turn)
    assert seen == [(1, 2)]
    assert (owner.now.state, owner.now.text) == ("done", "MIDI: a note is heard 20 ms after it was sent")
    assert not owner.errands.calibrates
    assert owner.words[0][3:] == ["--json", "--config", "/etc/lefthand.toml", "--input", "mic"]


def test_why_a_calibration_failed_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(REFUSES, monkeypatch)
    owner.errands.calibrate("")
    owner.errands.measure(lambda: True)
    assert (owner.now.state, owner.now.text) == ("failed", "Nothing of the 12 notes came back")


def test_a_calibration_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands_module, "CALIBRATE_S", 0.2)
    owner = Owner(HANGS, monkeypatch)
    owner.errands.calibrate("")
    owner.errands.measure(lambda: True)
    assert owner.now.state == "failed" and "hangs" in owner.now.text
    assert owner.errands._child is not None and owner.errands._child.poll() is not None


@pytest.mark.parametrize("by_owner", [True, False])
def test_the_owner_and_the_end_of_the_box_end_a_calibration(by_owner: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(HANGS, monkeypatch)
    owner.errands.calibrate("")
    turns = 0

    def turn() -> bool:
        nonlocal turns
        turns += 1
        if turns == 3 and by_owner:
            owner.errands.end("calibration")
        return by_owner or turns < 3

    owner.errands.measure(turn)
    assert owner.now.state == "failed" and not owner.errands.calibrates
    assert owner.errands._child is not None and owner.errands._child.poll() is not None


def test_one_errand_at_a_time_and_none_for_a_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(HANGS, monkeypatch)
    owner.errands.calibrate("")
    with pytest.raises(UserError, match="calibration runs"):
        owner.errands.learn("arm", "", lambda learnt: None)
    owner.errands.end("calibration")
    with pytest.raises(UserError, match="no instrument"):
        Errands(Path(), lambda: None, real=False).calibrate("")


def test_a_switch_that_is_pressed_is_passed_on_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = {"port": "Pedal", "control": "cc 80", "on_keyboard": False}
    owner = Owner(f"print({json.dumps(json.dumps(pressed))})", monkeypatch)
    got: list[Learnt] = []
    owner.errands.learn("arm", "Piano", got.append)
    patiently(lambda: owner.now.state == "done")
    assert got == [Learnt("Pedal", "cc 80", False)] and owner.now.text == "arm is cc 80 on Pedal"
    assert owner.words[0][1:] == ["device.ports.next_press", "15.0", "Piano"]


@pytest.mark.parametrize(("action", "control"), [("density", "cc 20"), ("hold", "cc 20 inverted")])
def test_a_knob_that_was_turned_down_first_is_not_inverted(
    monkeypatch: pytest.MonkeyPatch, action: str, control: str
) -> None:
    pressed = {"port": "Knobs", "control": "cc 20 inverted", "on_keyboard": False}
    owner = Owner(f"print({json.dumps(json.dumps(pressed))})", monkeypatch)
    got: list[Learnt] = []
    owner.errands.learn(action, "", got.append)
    patiently(lambda: owner.now.state == "done")
    assert got == [Learnt("Knobs", control, False)]


@pytest.mark.parametrize(("code", "why"), [("", "no switch was pressed"), ("print('[]')", "no switch was pressed")])
def test_without_a_press_the_owner_is_told(code: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(code, monkeypatch)
    owner.errands.learn("arm", "", lambda learnt: pytest.fail("nothing was pressed"))
    patiently(lambda: owner.now.state == "failed")
    assert why in owner.now.text


def test_a_switch_that_cannot_be_stored_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner('print(\'{"port": "Pedal", "control": "cc 80", "on_keyboard": false}\')', monkeypatch)

    def full(learnt: Learnt) -> None:
        raise UserError("The disk is full: make room.")

    owner.errands.learn("arm", "", full)
    patiently(lambda: owner.now.state == "failed")
    assert owner.now.text == "The disk is full: make room."


def test_the_owner_ends_the_waiting_for_a_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    owner = Owner(HANGS, monkeypatch)
    owner.errands.learn("arm", "", lambda learnt: pytest.fail("nothing was pressed"))
    patiently(lambda: owner.errands._child is not None)
    owner.errands.end("learning")
    assert (owner.now.state, owner.now.text) == ("failed", "it was ended")
    patiently(lambda: threading.active_count() < 50 and owner.errands._child.poll() is not None)  # type: ignore[union-attr]
    owner.errands.calibrate("")
