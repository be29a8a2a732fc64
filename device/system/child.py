"""Ends a process that this one has started."""

from __future__ import annotations

import subprocess
import sys


def python_module(module: str, *words: str) -> list[str]:
    """Return the command line that runs the Python module `module` with the arguments `words`.

    Nothing in the working folder is imported (-P). There, another account or a program that has broken out could have
    left a module of any name.
    """
    return [sys.executable, "-P", "-m", module, *words]


def end_child(child: subprocess.Popen[bytes], wait_s: float) -> None:
    """Ask a process to end, so that it can release its keys and ports. Kill it if it still runs after `wait_s` seconds.

    Returns when the process has ended. Does nothing if it has ended before.
    """
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(wait_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
