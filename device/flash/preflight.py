"""Tests a bundle in a separate process before it may play, so that a crash or a hang cannot reach the service.

`python -m device.flash.preflight FOLDER SLOWEST` is that process. It prints the same lines as `lefthand verify`.
On a box a flash runs it in a sandbox of systemd: see `sandbox.py`.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from device.bundles.bundle import Bundle
from device.bundles.golden import SLOWEST, verify
from device.errors import BundleError, UserError
from device.printable import printable
from device.system.account import leave_root

MODULE = __name__
CLEAN = {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "HOME": "/"}
"""Environment variables of the process."""
LIMIT_S = 60.0
"""Longest time in seconds for the self-test."""
MOST_MEMORY = 2**30
"""Largest data memory of the process in bytes. A good bundle takes about 50 million."""
REFUSED = 3
"""Exit status of the process if the bundle is refused with a sentence."""
LONGEST_SENTENCE = 1000
"""Characters of a line that are kept. The rest is cut off, because the bundle is not trusted."""


@dataclass(frozen=True)
class Ran:
    """Holds the result of a self-test: its exit status, how it ended in words, and its output.

    The exit status is None if the test took too long.
    """

    code: int | None
    how: str
    said: str


Run: TypeAlias = Callable[[str, float, float], Ran]
"""Type of a function (folder, slowest, limit in seconds) that runs the self-test and returns its result."""


def preflight(folder: Path, slowest: float = SLOWEST, limit_s: float = LIMIT_S, run: Run | None = None) -> list[str]:
    """Run the self-test of the bundle in `folder` and return the lines that it prints.

    99 of 100 hops must be calculated within `slowest` times the length of a hop. The whole test must end within
    `limit_s` seconds. `run` runs the process, by default as a child of this one. Raises BundleError if the
    bundle is refused, crashes or hangs.
    """
    ran = (run or in_a_child)(str(folder), slowest, limit_s)
    if ran.code is None:
        raise BundleError(
            f"{folder} was refused: its self-test did not finish within {limit_s:g} s, so its models "
            f"hang or are far too slow for this box."
        )
    lines = [printable(line[:LONGEST_SENTENCE]) for line in ran.said.splitlines() if line]
    if ran.code == REFUSED and lines:
        raise BundleError(lines[-1])
    if ran.code != 0:
        after = f" after “{lines[-1]}”" if lines else ""
        how = printable(ran.how[:LONGEST_SENTENCE])
        raise BundleError(f"{folder} was refused: its self-test crashed ({how}){after}, so its models cannot be run.")
    return lines


def in_a_child(folder: str, slowest: float, limit_s: float) -> Ran:
    """Run the self-test as a child of this process, with limits of memory and time, and return its result.

    The child is killed after `limit_s` seconds; the result then has no exit status.
    """
    command = [sys.executable, "-I", "-m", MODULE, folder, str(slowest)]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", **CLEAN},
        start_new_session=True,
    )
    try:
        said = child.communicate(timeout=limit_s)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return Ran(None, "", "")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    how = signal.Signals(-child.returncode).name if child.returncode < 0 else f"exit status {child.returncode}"
    return Ran(child.returncode, how, said)


def _main(folder: Path, slowest: float) -> int:
    leave_root()
    # a model that has broken out cannot speak for systemd-run
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    # set before a model is loaded: limited memory, no files and no core dumps
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        for line in verify(Bundle.open(folder), slowest=slowest):
            print(printable(line), flush=True)
    except UserError as error:
        print(error, flush=True)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), float(sys.argv[2])))
