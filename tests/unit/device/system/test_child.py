"""Processes that this one starts: what they import, and how they are ended."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from device.system.child import end_child, python_module
from device.version import VERSION

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


PLANTED = ("device/__init__.py", "json.py", "click.py", "usercustomize.py")
DEVICE = Path(__file__).parents[4] / "device"
STARTS_ITSELF = {"system/child.py", "flash/preflight.py", "flash/sandbox.py", "service/daemon.py"}
"""Files that name the interpreter: `python_module`, the self-tests (with -I), and the restart of the same command."""


def test_modules_that_somebody_left_in_the_working_folder_are_not_imported(tmp_path: Path) -> None:
    for name in PLANTED:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"open({str(tmp_path / 'loaded')!r}, 'w').close()\n")
    words = python_module("device.cli", "--version")
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert VERSION in ran.stdout, ran.stderr
    assert not (tmp_path / "loaded").exists()


def test_no_other_file_starts_the_interpreter() -> None:
    naming = {
        str(path.relative_to(DEVICE))
        for path in DEVICE.rglob("*.py")
        if "sys.executable" in path.read_text(encoding="utf-8")
    }
    assert naming == STARTS_ITSELF
