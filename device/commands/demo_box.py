"""Starts a box for `lefthand page --demo`. Its files are in a temporary folder, which is removed at the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import webbrowser
from collections.abc import Iterator
from pathlib import Path

from device.demo.demo_opening import SETTINGS
from device.files.sound.file import SoundFile
from device.system.child import end_child, python_module

END_S = 10.0
"""Seconds to wait for the box to end before it is killed. It needs about one."""
NO_DISPLAY = "LEFTHAND_NO_BROWSER"
"""Name of an environment variable. If it is set, `lefthand page --demo` opens no browser."""


@contextlib.contextmanager
def demo_box(sound: Path) -> Iterator[Path]:
    """Context manager: runs a box that hears the file `sound` in a loop, and yields the box's run directory.

    At the end the box is stopped and its files are removed. Raises UserError if the file cannot be used.
    """
    SoundFile(sound)
    with tempfile.TemporaryDirectory(prefix="lefthand-demo-") as name:
        folder = Path(name)
        settings = folder / "lefthand.toml"
        settings.write_text(SETTINGS, encoding="utf-8")
        run, state = folder / "run", folder / "state"
        command = python_module("device.cli", "run", "--wait", "--demo", str(sound.absolute()))
        box = subprocess.Popen(
            [*command, "--config", str(settings)],
            env={**os.environ, "RUNTIME_DIRECTORY": str(run), "STATE_DIRECTORY": str(state)},
            # Ctrl-C reaches the whole group, and the box is ended below
            start_new_session=True,
        )
        # as Ctrl-C does, so that the box ends too
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield run
        finally:
            signal.signal(signal.SIGTERM, before)
            end_child(box, END_S)


def open_browser(address: str) -> None:
    """Open `address` in the browser of this machine. If it has none, or NO_DISPLAY is set, do nothing."""
    if not os.environ.get(NO_DISPLAY):
        with contextlib.suppress(webbrowser.Error):
            webbrowser.open(address)
