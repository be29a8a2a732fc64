"""A JACK server without hardware, for PortAudio and RtMidi."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rig import PATIENCE_S, REPOSITORY, end_with_parent

RATE = 48_000
PERIOD = 256


def _forget_killed_servers() -> None:
    """Remove the shared memory of servers that were killed, if no server runs: JACK has room for eight."""
    if subprocess.run(["pgrep", "-x", "jackd"], capture_output=True).returncode:
        for path in Path("/dev/shm").glob("jack*"):
            # a server keeps files and, in a newer JACK, a folder with its database
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


class JackServer:
    """A JACK server without hardware at `rate` and PERIOD. Programs find it with the environment `env`."""

    def __init__(self, folder: Path, name: str, rate: int = RATE) -> None:
        self._name, self._rate, self._log = name, rate, folder / "jackd.log"
        self._server: subprocess.Popen[bytes] | None = None
        alsa = folder / "asound.conf"
        # PortAudio aborts if ALSA's settings name no device at all
        alsa.write_text(
            'pcm.!default { type null hint { show on description "nothing" } }\nctl.!default { type null }\n'
        )
        self.env = {
            **os.environ,
            "JACK_DEFAULT_SERVER": name,
            "JACK_NO_START_SERVER": "1",
            "JACK_NO_AUDIO_RESERVATION": "1",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
            "ALSA_CONFIG_PATH": str(alsa),
            "PYTHONPATH": str(REPOSITORY),
        }

    def start(self) -> None:
        """Start the server and return when it is up."""
        mode = ["--realtime", "--realtime-priority", "70"] if _real_time_permitted() else ["--no-realtime"]
        dummy = ["-d", "dummy", "--rate", str(self._rate), "--period", str(PERIOD), "--capture", "2", "--playback", "2"]
        _forget_killed_servers()
        # memory that is locked or shared with the server would count as memory of the box
        command = [
            "jackd",
            *mode,
            "--no-mlock",
            "--port-max",
            "64",
            "--sync",
            "--timeout",
            "5000",
            "--name",
            self._name,
            *dummy,
        ]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(command, env=self.env, stdout=log, stderr=log, preexec_fn=end_with_parent)
        until_s = time.monotonic() + PATIENCE_S
        probe = "import jack; jack.Client('probe', no_start_server=True).close()"
        while subprocess.run([sys.executable, "-c", probe], env=self.env, capture_output=True).returncode:
            if self._server.poll() is not None or time.monotonic() > until_s:
                raise AssertionError(f"jackd does not come up: {self._log.read_text()}")
            time.sleep(0.05)

    @property
    def log(self) -> str:
        """The server's output so far."""
        return self._log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._server is not None:
            self._server.send_signal(number)

    def kill(self) -> None:
        """Kill the server, as a crash would end it."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def stop(self) -> None:
        """Stop the server cleanly."""
        if self._server is None:
            return
        self._server.send_signal(signal.SIGTERM)
        try:
            self._server.wait(10)
            self._server = None
        except subprocess.TimeoutExpired:
            # only a new server of the same name cleans up after a killed server
            self.kill()
            self.start()
            self.stop()


@contextlib.contextmanager
def jack_server(folder: Path, purpose: str = "tests", rate: int = RATE) -> Iterator[JackServer]:
    """Run a `JackServer`, whose name says its `purpose`, and yield it. It is stopped at the end."""
    server = JackServer(folder, f"lefthand-{purpose}-{os.getpid()}", rate)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _real_time_permitted() -> bool:
    probe = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(70))"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True).returncode == 0
