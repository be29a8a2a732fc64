"""Processes around the box under test: each is waited for by what it says, never by time alone."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
PATIENCE_S = 60.0
"""For a process to say something, on a machine that is busy with other work."""
GRACE_S = 10.0
RATE = 48_000
PERIOD = 256


class Process:
    """A child that is talked to in lines; `text` is all that it has said on `stream`."""

    def __init__(self, command: list[str], env: dict[str, str], stream: str = "stdout") -> None:
        self.text = ""
        self.child = subprocess.Popen(
            command,
            env=env,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if stream == "stdout" else subprocess.DEVNULL,
            stderr=subprocess.PIPE if stream == "stderr" else None,
        )
        self._said = self.child.stdout if stream == "stdout" else self.child.stderr

    def wait_for(self, word: str) -> str:
        """The line with `word`, once it is said."""
        until_s = time.monotonic() + PATIENCE_S
        done = 0
        while True:
            for line in (lines := self.text.split("\n")[:-1])[done:]:
                if word in line:
                    return line
            done = len(lines)
            assert self._said is not None
            if not select.select([self._said], [], [], until_s - time.monotonic())[0]:
                raise AssertionError(f"no {word!r} in {PATIENCE_S:.0f} s; it said: {self.text}")
            said = os.read(self._said.fileno(), 65536)
            if not said:
                raise AssertionError(f"it ended without {word!r}; it said: {self.text}")
            self.text += said.decode()

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


class Instrument(Process):
    """tests/host/instrument.py."""

    def __init__(self, name: str, env: dict[str, str], *options: str) -> None:
        super().__init__([sys.executable, str(HERE / "instrument.py"), name, *options], env)
        self.wait_for("ready")
        self.text = ""

    def play(self, gestures: list[tuple[float, str, int, int]]) -> None:
        """Play (seconds, kind, note, velocity), and return when it is done."""
        self._ask({"play": gestures})

    @property
    def received(self) -> list[tuple[float, str, int, int]]:
        """All messages so far: monotonic seconds, kind, note or controller, velocity or value."""
        return [(at_s, kind, number, value) for at_s, kind, number, value in self._ask({"received": True})]

    def _ask(self, question: dict[str, Any]) -> Any:
        self.text = ""
        self.say(json.dumps(question))
        self.wait_for("")
        return json.loads(self.text)


@contextlib.contextmanager
def jack_server(folder: Path) -> Iterator[dict[str, str]]:
    """A JACK server without hardware at RATE and PERIOD; gives the environment in which programs find it."""
    name = f"lefthand-{os.getpid()}"
    alsa = folder / "asound.conf"
    # PortAudio aborts where ALSA's settings name no device at all
    alsa.write_text('pcm.!default { type null hint { show on description "nothing" } }\nctl.!default { type null }\n')
    env = {
        **os.environ,
        "JACK_DEFAULT_SERVER": name,
        "JACK_NO_START_SERVER": "1",
        "JACK_NO_AUDIO_RESERVATION": "1",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        "ALSA_CONFIG_PATH": str(alsa),
        "PYTHONPATH": str(REPOSITORY),
    }
    mode = ["--realtime", "--realtime-priority", "70"] if _real_time_permitted() else ["--no-realtime"]
    dummy = ["-d", "dummy", "--rate", str(RATE), "--period", str(PERIOD), "--capture", "2", "--playback", "2"]
    with (folder / "jackd.log").open("wb") as log:
        command = ["jackd", *mode, "--sync", "--timeout", "5000", "--name", name, *dummy]
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            _wait_until_up(server, env, folder / "jackd.log")
            yield env
        finally:
            server.send_signal(signal.SIGTERM)
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_up(server: subprocess.Popen[bytes], env: dict[str, str], log: Path) -> None:
    until_s = time.monotonic() + PATIENCE_S
    probe = "import jack; jack.Client('probe', no_start_server=True).close()"
    while subprocess.run([sys.executable, "-c", probe], env=env, capture_output=True).returncode:
        if server.poll() is not None or time.monotonic() > until_s:
            raise AssertionError(f"jackd does not come up: {log.read_text()}")
        time.sleep(0.05)


def _real_time_permitted() -> bool:
    probe = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(70))"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True).returncode == 0
