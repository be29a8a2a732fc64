"""Ends a process that this one has started."""

from __future__ import annotations

import subprocess


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
