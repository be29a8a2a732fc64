"""Processes around the box under test: each is waited for by what it says, never by time alone."""

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
from tests.pace import within

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PATIENCE_S = 60.0
"""For a process to say something, on a machine that is busy with other work."""
GRACE_S = 30.0
THREADS = 4
"""That a message passes on its way: the player's, the loop of the box, its sender's, and the server's."""
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
P = TypeVar("P", bound="Process")


def end_with_parent() -> None:
    """In a child: get SIGTERM where the tests are killed, as JACK has room for eight servers only."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


class Process:
    """A child that is talked to in lines; `text` is what was read of all that it has said on `stream`.

    Where it is to say that it is `ready`, it has.
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
        """The line with `word`, once it is said."""
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
        """Its next output, which is then in `text`: None if nothing comes in time, "" if it has ended."""
        assert self._said is not None
        if not select.select([self._said], [], [], wait_s)[0]:
            return None
        said = os.read(self._said.fileno(), 65536).decode()
        self.text += said
        return said

    def say(self, line: str) -> None:
        """Send a line."""
        assert self.child.stdin is not None
        self.child.stdin.write(line.encode() + b"\n")
        self.child.stdin.flush()

    def end(self, number: int) -> int:
        """Send the signal `number`, and give the exit status."""
        self.child.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """The exit status, once it has ended by itself."""
        assert self._said is not None
        self.text += self._said.read().decode()
        return self.child.wait(PATIENCE_S)

    def close(self) -> None:
        """End it: helpers end when their stdin does, a box that is still there is killed."""
        with contextlib.suppress(BrokenPipeError):
            if self.child.stdin is not None:
                self.child.stdin.close()
        try:
            # a client of JACK that is killed holds up the server
            self.child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        for pipe in (self.child.stdout, self.child.stderr):
            if pipe is not None:
                pipe.close()


class Box(Process):
    """`lefthand`, which does not end with its stdin."""

    def close(self) -> None:
        """SIGTERM first."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        super().close()


class Service(Box):
    """`lefthand run --wait` as systemd would run it, with folders of its own and a socket to notify."""

    def __init__(self, settings: str, folder: Path, env: dict[str, str], *options: str) -> None:
        self.folder = folder
        self.run_dir, self.settings = folder / "run", folder / "lefthand.toml"
        self.settings.write_text(settings)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = folder / "notify"
        address.unlink(missing_ok=True)
        self._socket.bind(str(address))
        self.notified: list[tuple[float, str]] = []
        """All that it told systemd: monotonic seconds, one assignment each."""
        threading.Thread(target=self._listen, daemon=True).start()
        given = {"RUNTIME_DIRECTORY": self.run_dir, "STATE_DIRECTORY": folder / "state", "NOTIFY_SOCKET": address}
        env = {**env, **{name: str(path) for name, path in given.items()}, "WATCHDOG_USEC": "2000000"}
        self.began_s = time.monotonic()
        command = [sys.executable, "-m", "device.cli", "run", "--wait", "--config", str(self.settings), *options]
        super().__init__(command, env, "stderr")

    @property
    def status(self) -> Status:
        """Its status now."""
        until(lambda: read_status(self.run_dir), PATIENCE_S, "a status file")
        status = read_status(self.run_dir)
        assert status is not None
        return status

    def _listen(self) -> None:
        """The queue of such a socket is short: what is not read at once keeps the sender waiting."""
        with contextlib.suppress(OSError):
            while said := self._socket.recv(4096):
                self.notified += [(time.monotonic(), line) for line in said.decode().splitlines()]

    def wait_until(self, state: str, words: str = "", seconds: float = PATIENCE_S) -> float:
        """Until its status says so; how long that took."""

        def holds() -> bool:
            status = read_status(self.run_dir)
            return status is not None and status.state == state and words in status.message

        def instead() -> str:
            while self._read(0.0):
                pass
            return f"{state} {words}; it is {read_status(self.run_dir)}, and said: {self.text}"

        return until(holds, seconds, instead)

    def wait_within(self, state: str, words: str, limit_s: float) -> float:
        """As `wait_until`, and it takes no longer than the limit, as long as that is on this machine now."""
        took_s = self.wait_until(state, words)
        assert took_s < within(limit_s), f"{state} {words} after {took_s:.2f} s"
        return took_s

    def close(self) -> None:
        """As any box; then nobody listens to what it tells systemd."""
        super().close()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def down_after(received: list[tuple[float, str, int, int]]) -> set[int]:
    """The keys that hang."""
    down: set[int] = set()
    for _, kind, key, _ in received:
        if kind == "note_on":
            down.add(key)
        elif kind == "note_off":
            down.discard(key)
    return down


class Instrument(Process):
    """tests/host/instrument.py."""

    def __init__(self, name: str, env: dict[str, str], *options: str) -> None:
        super().__init__([sys.executable, str(HERE / "instrument.py"), name, *options], env, ready="ready")
        self.text = ""

    def play(self, gestures: list[tuple[float, str, int, int]]) -> list[float]:
        """Play (seconds, kind, note, velocity); when it is done: the monotonic seconds at which each was sent."""
        sent: list[float] = self._ask({"play": gestures})
        return sent

    @property
    def received(self) -> list[tuple[float, str, int, int]]:
        """All messages so far: monotonic seconds, kind, note or controller, velocity or value."""
        return [(at_s, kind, number, value) for at_s, kind, number, value in self._ask({"received": True})]

    def _ask(self, question: dict[str, Any]) -> Any:
        self.text = ""
        self.say(json.dumps(question))
        self.wait_for("")
        return json.loads(self.text)


class Bare(Process):
    """tests/host/bare.py: what a real-time thread that does nothing can do on this machine, meanwhile."""

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__([sys.executable, str(HERE / "bare.py")], env, ready="ready")

    def late_ms(self) -> dict[str, float]:
        """How late it woke, in milliseconds: `p99`, `p999` and `most`. It ends with that."""
        self.text = ""
        self.say("over")
        self.wait_for("")
        found: dict[str, float] = json.loads(self.text)
        self.close()
        return found

    def slack_s(self) -> float:
        """Seconds by which a limit in milliseconds is longer on this machine. The measurement ends with this call.

        A message passes a handful of threads, each of which may wake as late as the one that does nothing.
        """
        return THREADS * self.late_ms()["p99"] / 1e3


class Ensemble:
    """Starts processes beside a JACK server (`env` is their environment). All of them are ended on leaving."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env
        self._begun = contextlib.ExitStack()

    def __enter__(self) -> Ensemble:
        return self

    def __exit__(self, *_: object) -> None:
        self._begun.close()

    def begin(self, *command: str, kind: type[P] = Process) -> P:
        """A script of this folder, to be talked to as a `kind` of process."""
        return self._ends(kind([sys.executable, *command], self._env))

    def bare(self) -> Bare:
        """The real-time thread that does nothing, beside everything else."""
        return self._ends(Bare(self._env))

    def instrument(self, name: str, *options: str) -> Instrument:
        """An instrument, when it is there."""
        return self._ends(Instrument(name, self._env, *options))

    def box(self, *arguments: str, stream: str = "stderr") -> Box:
        """`lefthand`, heard on `stream`."""
        return self._ends(Box([sys.executable, "-m", "device.cli", *arguments], self._env, stream))

    def service(self, settings: str, folder: Path, *options: str, env: dict[str, str] | None = None) -> Service:
        """The box as a service, in another environment if need be."""
        return self._ends(Service(settings, folder, env or self._env, *options))

    def _ends(self, process: P) -> P:
        self._begun.callback(process.close)
        return process


def until(holds: Callable[[], Any], seconds: float, what: str | Callable[[], str]) -> float:
    """Poll until `holds`, and give how long that took; AssertionError after `seconds`, with what there is instead."""
    began_s = time.monotonic()
    while not holds():
        if time.monotonic() - began_s >= seconds:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.01)
    return time.monotonic() - began_s


def measured(what: str, seconds: float) -> None:
    """Print a figure of docs/faults.md: `pytest -rP` shows it."""
    print(f"measured: {what}: {seconds:.2f} s")
