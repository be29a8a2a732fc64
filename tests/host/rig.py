"""Processes around the box under test. The tests wait for the output of each, never for a time alone."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from device.status.schema import Status, read_status

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PATIENCE_S = 120.0
"""Timeout in seconds for the output of a process, on a machine that is busy with other work."""
GRACE_S = 60.0
THREADS = 4
"""Number of threads that a message passes: the player's, the box's loop, the box's sender, and the server's."""
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
P = TypeVar("P", bound="Process")


def end_with_parent() -> None:
    """Let a child get SIGTERM if the tests are killed, because JACK has room for only eight servers."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A child process that exchanges lines with the test. `text` is its output on `stream` that was read so far.

    If `ready` is given, the constructor returns after the child has printed it.
    """

    def __init__(self, command: list[str], env: dict[str, str], stream: str = "stdout", ready: str = "") -> None:
        self.text = ""
        self.child = subprocess.Popen(
            command,
            env=env,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if stream == "stdout" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if stream == "stderr" else None,
            preexec_fn=end_with_parent,
        )
        self._said = self.child.stdout if stream == "stdout" else self.child.stderr
        if ready:
            try:
                self.wait_for(ready)
            except BaseException:
                self.close()
                raise

    def wait_for(self, word: str) -> str:
        """Wait for a line with `word` and return it."""
        until_s = time.monotonic() + PATIENCE_S
        done = 0
        while True:
            for line in (lines := self.text.split("\n")[:-1])[done:]:
                if word in line:
                    return line
            done = len(lines)
            said = self._read(max(0.0, until_s - time.monotonic()))
            if said is None:
                raise AssertionError(f"no {word!r} in {PATIENCE_S:.0f} s; it said: {self.text}")
            if not said:
                raise AssertionError(f"it ended without {word!r}; it said: {self.text}")

    def _read(self, wait_s: float) -> str | None:
        """Read the next output into `text` and return it: None if none comes in time, "" if the process has ended."""
        assert self._said is not None
        if not select.select([self._said], [], [], wait_s)[0]:
            return None
        said = os.read(self._said.fileno(), 65536).decode()
        self.text += said
        return said

    def read(self) -> None:
        """Read what the child has printed so far into `text`."""
        while self._read(0.0):
            pass

    def say(self, line: str) -> None:
        """Send a line."""
        assert self.child.stdin is not None
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def end(self, number: int) -> int:
        """Send the signal `number` and return the exit status."""
        self.child.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait until the process ends by itself and return its exit status."""
        assert self._said is not None
        self.text += self._said.read().decode()
        return self.child.wait(PATIENCE_S)

    def close(self) -> None:
        """End the process. Helpers end when their stdin closes; a box that still runs is killed."""
        with contextlib.suppress(BrokenPipeError):
            if self.child.stdin is not None:
                self.child.stdin.close()
        try:
            # a killed JACK client holds up the server
            self.child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        for pipe in (self.child.stdout, self.child.stderr):
            if pipe is not None:
                pipe.close()


class Box(Process):
    """The `lefthand` process, which does not end when its stdin closes."""

    def close(self) -> None:
        """End the box with SIGTERM first."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        super().close()


class Service(Box):
    """`lefthand run --wait` as systemd runs it, with separate folders and a notify socket."""

    def __init__(self, settings: str, folder: Path, env: dict[str, str], *options: str) -> None:
        self.folder = folder
        self.run_dir, self.settings = folder / "run", folder / "lefthand.toml"
        self.settings.write_text(settings)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = folder / "notify"
        address.unlink(missing_ok=True)
        self._socket.bind(str(address))
        self.notified: list[tuple[float, str]] = []
        """All notifications to systemd so far: monotonic seconds and one assignment each."""
        threading.Thread(target=self._listen, daemon=True).start()
        given = {"RUNTIME_DIRECTORY": self.run_dir, "STATE_DIRECTORY": folder / "state", "NOTIFY_SOCKET": address}
        env = {**env, **{name: str(path) for name, path in given.items()}, "WATCHDOG_USEC": "2000000"}
        self.began_s = time.monotonic()
        command = [sys.executable, "-m", "device.cli", "run", "--wait", "--config", str(self.settings), *options]
        super().__init__(command, env, "stderr")

    @property
    def status(self) -> Status:
        """Return the present status."""
        until(lambda: read_status(self.run_dir), PATIENCE_S, "a status file")
        status = read_status(self.run_dir)
        assert status is not None
        return status

    def _listen(self) -> None:
        """Read the socket all the time. Its queue is short, and a full queue makes the sender wait."""
        with contextlib.suppress(OSError):
            while said := self._socket.recv(4096):
                self.notified += [(time.monotonic(), line) for line in said.decode().splitlines()]

    def wait_until(self, state: str, words: str = "", seconds: float = PATIENCE_S) -> float:
        """Wait until the status meets the condition and return the seconds that this took."""

        def holds() -> bool:
            status = read_status(self.run_dir)
            return status is not None and status.state == state and words in status.message

        def instead() -> str:
            self.read()
            return f"{state} {words}; it is {read_status(self.run_dir)}, and said: {self.text}"

        return until(holds, seconds, instead)

    def close(self) -> None:
        """End the box like any other, then stop reading its notifications."""
        super().close()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def down_after(received: list[tuple[float, str, int, int]]) -> set[int]:
    """Return the keys that are still down."""
    down: set[int] = set()
    for _, kind, key, _ in received:
        if kind == "note_on":
            down.add(key)
        elif kind == "note_off":
            down.discard(key)
    return down


class Instrument(Process):
    """Runs tests/host/instrument.py."""

    def __init__(self, name: str, env: dict[str, str], *options: str) -> None:
        super().__init__([sys.executable, str(HERE / "instrument.py"), name, *options], env, ready="ready")
        self.text = ""

    def play(self, gestures: list[tuple[float, str, int, int]]) -> list[float]:
        """Play (seconds, kind, note, velocity) to the end. Return the monotonic seconds at which each was sent."""
        sent: list[float] = self._ask({"play": gestures})
        return sent

    @property
    def received(self) -> list[tuple[float, str, int, int]]:
        """Return all messages so far: monotonic seconds, kind, note or controller, velocity or value."""
        return [(at_s, kind, number, value) for at_s, kind, number, value in self._ask({"received": True})]

    def _ask(self, question: dict[str, Any]) -> Any:
        self.text = ""
        self.say(json.dumps(question))
        self.wait_for("")
        return json.loads(self.text)


class Bare(Process):
    """Runs tests/host/bare.py, which measures how late an idle real-time thread wakes during the test."""

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__([sys.executable, str(HERE / "bare.py")], env, ready="ready")

    def late_ms(self) -> dict[str, float]:
        """End the measurement and return the lateness in milliseconds: `p99`, `p999` and `most`."""
        self.text = ""
        self.say("over")
        self.wait_for("")
        found: dict[str, float] = json.loads(self.text)
        self.close()
        return found

    def slack_s(self) -> float:
        """Return the seconds to add to a limit in milliseconds on this machine. The measurement ends with this call.

        A message passes a handful of threads, each of which may wake as late as the one that does nothing.
        """
        return THREADS * self.late_ms()["p99"] / 1e3


class Ensemble:
    """Starts processes beside a JACK server (`env` is their environment). All end with the context."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._begun = contextlib.ExitStack()

    def __enter__(self) -> Ensemble:
        return self

    def __exit__(self, *_: object) -> None:
        self._begun.close()

    def begin(self, *command: str, kind: type[P] = Process) -> P:
        """Start a script of this folder as a process of class `kind`."""
        return self._ends(kind([sys.executable, *command], self._env))

    def bare(self) -> Bare:
        """Start the idle real-time thread beside everything else."""
        return self._ends(Bare(self._env))

    def instrument(self, name: str, *options: str) -> Instrument:
        """Start an instrument and return it when its ports exist."""
        return self._ends(Instrument(name, self._env, *options))

    def tape(self, sound: Path) -> Process:
        """Start tests/host/tape.py with the file `sound`, and return it when its port exists. A line lets it play."""
        return self._ends(Process([sys.executable, str(HERE / "tape.py"), str(sound)], self._env, ready="ready"))

    def box(self, *arguments: str, stream: str = "stderr") -> Box:
        """Start `lefthand` and read its `stream`."""
        return self._ends(Box([sys.executable, "-m", "device.cli", *arguments], self._env, stream))

    def service(self, settings: str, folder: Path, *options: str, env: dict[str, str] | None = None) -> Service:
        """Start the box as a service, in another environment if one is given."""
        return self._ends(Service(settings, folder, env or self._env, *options))

    def _ends(self, process: P) -> P:
        self._begun.callback(process.close)
        return process


def until(holds: Callable[[], Any], seconds: float, what: str | Callable[[], str]) -> float:
    """Poll until `holds` and return the seconds this took. Raises AssertionError with the state after `seconds`."""
    began_s = time.monotonic()
    while not holds():
        if time.monotonic() - began_s >= seconds:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.01)
    return time.monotonic() - began_s


def measured(what: str, seconds: float) -> None:
    """Print a figure of docs/faults.md: `pytest -rP` shows it."""
    print(f"measured: {what}: {seconds:.2f} s")
