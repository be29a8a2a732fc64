"""A real box that hears the demo recording in a loop, and its page, as two processes in a folder of their own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from device.control.client import ControlClient
from device.demo.demo_opening import SETTINGS
from device.page.access import secret_of
from device.status.schema import Status, SteeringStatus, read_status

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo" / "right-hand.flac"
PATIENCE_S = 120.0
END_S = 20.0


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class DemoSite:
    """The box and the page. `sound` is what the box hears; None for a page without a box."""

    def __init__(self, folder: Path, sound: Path | None = DEMO, settings: str = SETTINGS) -> None:
        self.folder, self.sound, self.port = folder, sound, free_port()
        self.run, self.state = folder / "run", folder / "state"
        self.settings = folder / "lefthand.toml"
        self.settings.write_text(settings, encoding="utf-8")
        self.code = secret_of(self.state).code
        self.box: subprocess.Popen[bytes] | None = None
        self.page: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> DemoSite:
        self.begin_box()
        self.begin_page()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self.page, self.box):
            self.end(process)

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def cookie(self) -> str:
        return secret_of(self.state).cookie

    def begin_box(self) -> None:
        if self.sound is not None:
            command = ["run", "--wait", "--demo", str(self.sound), "--config", str(self.settings)]
            self.box = self._started(command, "box.log")

    def begin_page(self) -> None:
        self.page = self._started(["page", "--port", str(self.port)], "page.log")
        until(lambda: self._answers(), "the page answers")

    def _answers(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def _started(self, words: list[str], log: str) -> subprocess.Popen[bytes]:
        env = {**os.environ, "RUNTIME_DIRECTORY": str(self.run), "STATE_DIRECTORY": str(self.state)}
        env["PYTHONPATH"] = str(ROOT)
        with (self.folder / log).open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "device.cli", *words], env=env, stdout=out, stderr=out, cwd=self.folder
            )

    @staticmethod
    def end(process: subprocess.Popen[bytes] | None, how: signal.Signals = signal.SIGTERM) -> None:
        if process is None or process.poll() is not None:
            return
        process.send_signal(how)
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def status(self) -> Status | None:
        return read_status(self.run)

    def asked(self, request: dict[str, Any]) -> dict[str, Any]:
        """The box's answer to a request of the control socket."""
        with ControlClient(self.run) as client:
            return client.ask(request)

    def until(self, holds: Callable[[Status], bool], what: str) -> Status:
        """Wait until `holds` is true for the status of the box, and return that status."""

        def ready() -> bool:
            status = self.status
            return status is not None and holds(status)

        until(ready, what)
        status = self.status
        assert status is not None
        return status


def until(holds: Callable[[], object], what: str) -> None:
    """Wait until `holds` is true. Raises AssertionError with `what` after PATIENCE_S."""
    end_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end_s, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.02)


def steering(site: DemoSite, holds: Callable[[SteeringStatus], bool], what: str) -> None:
    """Wait until `holds` is true for how the left hand plays."""
    site.until(lambda status: status.steering is not None and holds(status.steering), what)
