"""Runs errands, which are the box's tasks besides playing: a calibration, or learning which foot switch is pressed.

Both use drivers, which may hang or crash. So each errand is a process of its own, and the box reads its output. Only
one errand runs at a time. The status has its progress and its result, so all pages show them.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from device.errors import UserError
from device.settings.controls import VALUES
from device.status.schema import ErrandKind, ErrandStatus
from device.system.child import end_child, python_module

LEARN_S = 15.0
"""Seconds to wait for a press of the foot switch."""
CALIBRATE_S = 120.0
"""Seconds after which a calibration is stopped. With two outputs, each measured twice, it needs about 50."""
END_S = 5.0
"""Seconds to wait for a process to end before it is killed."""
BEGINS = "the box closes its ports, then it plays notes: play nothing"
PRESS = "press the switch and let it go; if nothing happens for two seconds, press it once more"


@dataclass(frozen=True)
class Learnt:
    """Describes the foot switch that was pressed.

    `port` is the name of its MIDI port. `control` is its text for [controls], such as "cc 80". `on_keyboard` is true if
    the port is the player's own MIDI input.
    """

    port: str
    control: str
    on_keyboard: bool


class Errands:
    """Runs the errands for the box whose settings file is `settings`. Any thread may call the methods.

    `changed` is called when a calibration begins and when an errand ends, so that the box closes or opens its ports.
    `real` is false for a demo, which has no ports of its own.
    """

    def __init__(self, settings: Path, changed: Callable[[], None], real: bool = True) -> None:
        self._settings, self._changed, self._real = settings, changed, real
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._input = ""
        self.status: ErrandStatus | None = None
        """Progress or result of the errand that runs, or of the last one. None if there was none since the start."""

    @property
    def calibrates(self) -> bool:
        """Return whether the box must close its ports, because the calibration needs them."""
        status = self.status
        return status is not None and (status.kind, status.state) == ("calibration", "running")

    def calibrate(self, input_: str) -> None:
        """Ask for a calibration with the sound input `input_`. "" is the input that the settings name.

        The method returns at once. The box then closes its ports and calls `measure`. Raises UserError if the box is a
        demo, or if an errand runs.
        """
        if not self._real:
            raise UserError("A demo has no instrument that could be calibrated: start the box without --demo.")
        self._begin("calibration", BEGINS)
        self._input = input_
        self._changed()

    def learn(self, control: str, keyboard: str, learnt: Callable[[Learnt], None]) -> None:
        """Begin to wait for a press of the foot switch for the key `control` of [controls], and return at once.

        Raises UserError if an errand runs. `keyboard` is the name of the player's MIDI input, "" if there is none.
        After the press, another thread calls `learnt` with the switch, which it stores. If `learnt` raises UserError,
        the errand fails and the status shows the sentence.
        """
        self._begin("learning", PRESS)
        threading.Thread(target=self._learn, args=(control, keyboard, learnt), name="learning", daemon=True).start()

    def measure(self, turn: Callable[[], bool]) -> None:
        """Run the calibration, which measures how late the outputs sound. The result goes to `status`.

        The box calls this in its main thread, after it has closed its ports. The method returns when the calibration
        has ended or is stopped. After CALIBRATE_S it is stopped.

        While the calibration runs, `turn` is called again and again. It waits for a moment, and returns False to stop
        the calibration.
        """
        words = ["calibrate", "--json", "--config", str(self._settings)]
        child = self._started("device.cli", *words, *(["--input", self._input] if self._input else []))
        reader = threading.Thread(target=self._follow, args=(child,), name="calibration", daemon=True)
        reader.start()
        until_s = time.monotonic() + CALIBRATE_S
        try:
            while child.poll() is None and time.monotonic() < until_s and self.calibrates and turn():
                pass
        finally:
            hangs = child.poll() is None and time.monotonic() >= until_s
            end_child(child, END_S)
            reader.join(END_S)
            self._finish("calibration", self._verdict(child, hangs))

    def end(self, kind: ErrandKind) -> None:
        """Stop the running errand, which then counts as failed, if its kind is `kind`. Otherwise do nothing."""
        self._finish(kind, ErrandStatus(kind, "failed", "it was ended"))

    def close(self) -> None:
        """Stop the process of the errand, if one runs."""
        child = self._child
        if child is not None:
            end_child(child, END_S)

    def _begin(self, kind: ErrandKind, text: str) -> None:
        with self._lock:
            if self.status is not None and self.status.state == "running":
                raise UserError(f"The {self.status.kind} runs: wait until it has ended, or end it.")
            self.status = ErrandStatus(kind, "running", text)

    def _finish(self, kind: ErrandKind, status: ErrandStatus) -> None:
        """If an errand of the kind `kind` runs, replace its status by `status`, end its process and call `changed`."""
        with self._lock:
            if self.status is None or (self.status.kind, self.status.state) != (kind, "running"):
                return
            self.status = status
        self.close()
        self._changed()

    def _started(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        child = self._child = subprocess.Popen(
            python_module(module, *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        return child

    def _follow(self, child: subprocess.Popen[bytes]) -> None:
        """Copy the lines that the calibration prints into the status."""
        assert child.stdout is not None
        with contextlib.suppress(OSError, ValueError), child.stdout as lines:
            for line in lines:
                said: dict[str, Any] = json.loads(line)
                with self._lock:
                    if not self.calibrates or self.status is None:
                        return
                    text = said.get("said", self.status.text)
                    done, of = said.get("played", 0 if "said" in said else self.status.done), said.get("of", 0)
                    self.status = replace(self.status, text=text, done=done, of=of or self.status.of)

    def _verdict(self, child: subprocess.Popen[bytes], hangs: bool) -> ErrandStatus:
        """Return the final status of a calibration whose process has ended: "done", or "failed" with the reason.

        `hangs` means that the process did not end in time.
        """
        assert child.stderr is not None and self.status is not None
        with child.stderr as errors:
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
        if hangs:
            return ErrandStatus("calibration", "failed", "It hangs: unplug the devices, plug them in, and try again.")
        if child.returncode:
            why = said[-1].removeprefix("lefthand: ") if said else "It has ended: see the last lines of the log."
            return ErrandStatus("calibration", "failed", why)
        return replace(self.status, state="done")

    def _learn(self, control: str, keyboard: str, learnt: Callable[[Learnt], None]) -> None:
        """Wait for the switch that a person presses, and pass it to `learnt`, which may refuse it."""
        child = self._started("device.ports.next_press", str(LEARN_S), keyboard)
        said, _ = child.communicate()
        try:
            found = _as_knob(control, Learnt(**json.loads(said)))
        except (ValueError, TypeError):
            why = "no switch was pressed: connect it, and begin again"
            self._finish("learning", ErrandStatus("learning", "failed", why))
            return
        if self.status is None or self.status.state != "running":
            return
        try:
            learnt(found)
        except UserError as error:
            self._finish("learning", ErrandStatus("learning", "failed", str(error)))
            return
        text = f"{control} is {found.control} on {found.port}"
        self._finish("learning", ErrandStatus("learning", "done", text))


def _as_knob(action: str, found: Learnt) -> Learnt:
    """Return `found` without the kind of its switch if it is a knob for an `action` that takes its value.

    A knob may be turned either way first, so its values do not show whether it is inverted.
    """
    is_knob = action in VALUES and found.control.startswith("cc")
    return replace(found, control=" ".join(found.control.split()[:2])) if is_knob else found
