"""Ending a process that this one has started."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from device.system.child import end_child

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
POLITE = "import signal; print('ready', flush=True); signal.pause()"


@pytest.mark.parametrize(("script", "wait_s", "by"), [(POLITE, 60.0, signal.SIGTERM), (STUBBORN, 0.1, signal.SIGKILL)])
def test_a_process_is_asked_to_end_and_killed_only_if_it_does_not(
    script: str, wait_s: float, by: signal.Signals
) -> None:
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdout.readline() == b"ready\n"
        end_child(child, wait_s)
        assert child.returncode == -by
        end_child(child, wait_s)
        assert child.returncode == -by
