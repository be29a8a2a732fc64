"""Finds what the owner can see besides the status: the ports of the machine, and the findings of the doctor.

Both use drivers, which may take seconds or hang. So each is a process of its own, and the box reads its output.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from device.errors import UserError
from device.version import VERSION

LEAVE_S = 5.0
"""Seconds after the last question at which the process that looks at the ports ends."""
FIRST_S = 20.0
"""Seconds to wait for the first list of ports. On a Pi the process needs about two to start."""
SLOTS_S = 20.0
"""Seconds to wait for the list of slots."""
END_S = 5.0
"""Seconds to wait until the process that looks at the ports has closed them."""
TRY_S = 20.0
"""Seconds to wait until a note was played on a port that is not in use."""
DOCTOR_S = 90.0
"""Seconds to wait for the doctor. It measures the models for a few."""
GENTLY = ("nice", "-n", "19")
"""Words before a command that give it the lowest priority. JACK clients run without, because the server waits for each.
"""
Ports = dict[str, list[dict[str, Any]]]


class PortWatch:
    """Keeps a process that lists the ports while somebody asks. Any thread may call the methods."""

    def __init__(self, command: tuple[str, ...] = (sys.executable, "-m", "device.ports.watch")) -> None:
        self._command = command
        self._changed = threading.Condition()
        self._child: subprocess.Popen[bytes] | None = None
        self._opens = False
        self._latest: Ports | None = None
        self._asked_s = 0.0

    def ports(self, opens: bool) -> Ports:
        """Return the newest list. `opens`: the inputs may be opened to see what arrives. Raises UserError."""
        with self._changed:
            self._asked_s = time.monotonic()
            if self._child is None or opens != self._opens:
                self._begin(opens)
            child = self._child
            self._changed.wait_for(lambda: self._latest is not None or self._child is not child, FIRST_S)
            if self._latest is None:
                raise UserError("The ports of this machine cannot be listed: `lefthand devices` says why.")
            return self._latest

    def close(self) -> None:
        """End the process."""
        with self._changed:
            self._end()

    def _begin(self, opens: bool) -> None:
        self._end()
        self._opens = opens
        words = [*self._command, *(["--open"] if opens else [])]
        child = self._child = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        threading.Thread(target=self._read, args=(child,), name="ports", daemon=True).start()

    def _end(self) -> None:
        child, self._child, self._latest = self._child, None, None
        if child is not None:
            child.terminate()
            try:
                child.wait(END_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._changed.notify_all()

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdout is not None
        with child.stdout as lines:
            for line in lines:
                with self._changed:
                    if self._child is not child:
                        return
                    with contextlib.suppress(ValueError):
                        self._latest = json.loads(line)
                    self._changed.notify_all()
                    if time.monotonic() - self._asked_s > LEAVE_S:
                        break
        with self._changed:
            if self._child is child:
                self._end()


def _printed(most_s: float, *words: str) -> dict[str, Any]:
    """Return the JSON that `lefthand WORDS` prints. Raises UserError if it prints none within `most_s`."""
    try:
        ran = subprocess.run(
            [*GENTLY, sys.executable, "-m", "device.cli", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=most_s,
            check=False,
        )
        found: dict[str, Any] = json.loads(ran.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        raise UserError(f"There is no answer here: run `lefthand {words[0]}` in a terminal.") from None
    return found


def try_output(port: str, channel: int, program: int) -> None:
    """Play one note on the MIDI output `port`, in a process of its own.

    `channel` counts from 1. `program` 0 leaves the sound as it is. Raises UserError if the port cannot be opened.
    """
    words = (sys.executable, "-m", "device.ports.one_note", port, str(channel), str(program))
    try:
        ran = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TRY_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        raise UserError(f'"{port}" takes no note: unplug it and plug it in again.') from None
    if ran.returncode:
        raise UserError((ran.stderr.strip().splitlines() or [f'"{port}" cannot be opened: connect it again.'])[-1])


class Looks:
    """Answers the requests `look` of the control socket, for the settings file `settings`.

    `playing` returns whether a session is open. `more` is added to the list of ports, for a box with ports of its own.
    `lines` returns the last lines of the log.
    """

    def __init__(
        self,
        settings: Path,
        playing: Callable[[], bool],
        more: Ports | None = None,
        lines: Callable[[], list[str]] = list,
    ) -> None:
        self._settings, self._playing, self._more, self._lines = settings, playing, more or {}, lines
        self._watch = PortWatch()

    def at(self, name: str) -> dict[str, Any]:
        """Return what there is to see under "ports", "doctor" or "system". May take seconds. Raises UserError."""
        if name == "doctor":
            return _printed(DOCTOR_S, "doctor", "--json", "--config", str(self._settings))
        if name == "system":
            return {**_printed(SLOTS_S, "slot", "list", "--json"), "log": self._lines(), "version": VERSION}
        ports = self._watch.ports(opens=not self._playing())
        return {kind: [*found, *self._more.get(kind, [])] for kind, found in ports.items()}

    def close(self) -> None:
        """End the processes."""
        self._watch.close()
