"""Finds what the owner can see besides the status, such as the ports and the findings of `lefthand doctor`.

Looking at them uses drivers, which may take seconds or hang. So each look is a process of its own, and the box reads
what it prints.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from device.errors import UserError
from device.system.child import end_child, python_module
from device.version import VERSION

LEAVE_S = 5.0
"""The process that looks at the ports ends when nobody has asked for this many seconds."""
FIRST_S = 20.0
"""Seconds to wait for the first list of ports. On a Pi the process needs about two to start."""
SLOTS_S = 20.0
"""Seconds to wait for the list of slots, which are the two places for the models."""
END_S = 10.0
"""Seconds to wait until the process that looks at the ports has closed them. Then it is killed, which holds up a JACK
server for as much as a minute, so the limit is long enough for a busy machine."""
TRY_S = 20.0
"""Seconds to wait until one note was played on a MIDI port that the box does not use."""
DOCTOR_S = 90.0
"""Seconds to wait for `lefthand doctor`. For a few of them it measures the speed of the models."""
GENTLY = ("nice", "-n", "19")
"""Words before a command that give it the lowest priority. Programs that use the sound server JACK run without them,
because JACK waits for each of its programs."""
Ports = dict[str, list[dict[str, Any]]]


class PortWatch:
    """Runs a process that lists the ports, as long as somebody asks for them. Any thread may call the methods."""

    def __init__(self, command: tuple[str, ...] = tuple(python_module("device.ports.watch"))) -> None:
        self._command = command
        self._changed = threading.Condition()
        self._child: subprocess.Popen[bytes] | None = None
        self._opens = False
        self._latest: Ports | None = None
        self._asked_s = 0.0

    def ports(self, opens: bool) -> Ports:
        """Return the newest list of ports: for each kind of port, a list of JSON objects with one for each port.

        If `opens` is true, the process may open the inputs to see what arrives. If it was started otherwise, it is
        started again. Raises UserError if no list comes within FIRST_S.
        """
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
        """End the process that lists the ports, if it runs, and wait until it has ended."""
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
            end_child(child, END_S)
        self._changed.notify_all()

    def _read(self, child: subprocess.Popen[bytes]) -> None:
        """Keep the latest line of the child until nobody has asked for LEAVE_S, then end it."""
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
    """Run `lefthand WORDS` and return the JSON object that it prints.

    Raises UserError if it cannot be run, prints no JSON, or needs more than `most_s` seconds.
    """
    try:
        ran = subprocess.run(
            [*GENTLY, *python_module("device.cli", *words)],
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

    `channel` counts from 1. `program` is the number of the sound; 0 keeps the present sound. Raises UserError if the
    port cannot be opened or does not answer within TRY_S.
    """
    words = python_module("device.ports.one_note", port, str(channel), str(program))
    try:
        ran = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TRY_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        # ValueError: a settings file can name a port that no command line can hold
        raise UserError(f'"{port}" takes no note: unplug it and plug it in again.') from None
    if ran.returncode:
        raise UserError((ran.stderr.strip().splitlines() or [f'"{port}" cannot be opened: connect it again.'])[-1])


class Looks:
    """Answers the requests "look" of the control socket, for the box whose settings file is `settings`.

    `playing` returns whether the box uses its ports now. The inputs are then not opened to see what arrives. `more` is
    added to the list of ports, for a demo with ports of its own. `lines` returns the last lines of the log.
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
        """Return what the owner sees under `name`, as JSON values. May take seconds.

        "doctor" gives the findings of `lefthand doctor`. "system" gives the slots of the models, the last lines of the
        log and the version. Any other name gives the ports. Raises UserError if there is no answer in time.
        """
        if name == "doctor":
            return _printed(DOCTOR_S, "doctor", "--json", "--config", str(self._settings))
        if name == "system":
            return {**_printed(SLOTS_S, "slot", "list", "--json"), "log": self._lines(), "version": VERSION}
        ports = self._watch.ports(opens=not self._playing())
        return {kind: [*found, *self._more.get(kind, [])] for kind, found in ports.items()}

    def close(self) -> None:
        """End the process that lists the ports."""
        self._watch.close()
