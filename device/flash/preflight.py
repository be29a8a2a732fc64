"""A bundle tried in a process of its own, before it may play: one that crashes or hangs does so there.

`python -m device.flash.preflight FOLDER SLOWEST` is that process; it says what `lefthand verify` says.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from device.bundles.bundle import Bundle
from device.bundles.golden import SLOWEST, verify
from device.errors import BundleError, UserError

LIMIT_S = 60.0
MOST_MEMORY = 2**30
"""Bytes of its own; a whole bundle takes about 50 million."""
REFUSED = 3
LONGEST_SENTENCE = 1000


def preflight(folder: Path, slowest: float = SLOWEST, limit_s: float = LIMIT_S) -> list[str]:
    """The self-test of the bundle in `folder`, as lines. Raises BundleError, for a crash or a hang as well."""
    command = [sys.executable, "-I", "-m", __name__, str(folder), str(slowest)]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "HOME": "/"},
        start_new_session=True,
    )
    try:
        said = child.communicate(timeout=limit_s)[0].decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        raise BundleError(
            f"{folder} was refused: its self-test did not come to an end within {limit_s:g} s, so its models "
            f"hang or are far too slow for this box."
        ) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
    lines = [line[:LONGEST_SENTENCE] for line in said.splitlines() if line]
    if child.returncode == REFUSED and lines:
        raise BundleError(lines[-1])
    if child.returncode != 0:
        how = signal.Signals(-child.returncode).name if child.returncode < 0 else f"exit status {child.returncode}"
        after = f" after “{lines[-1]}”" if lines else ""
        raise BundleError(f"{folder} was refused: its self-test crashed ({how}){after}, so its models cannot be run.")
    return lines


def _main(folder: Path, slowest: float) -> int:
    # before the model has a say: no memory, no file and no core dump beyond what a whole bundle needs
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        for line in verify(Bundle.open(folder), slowest=slowest):
            print(line, flush=True)
    except UserError as error:
        print(error, flush=True)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), float(sys.argv[2])))
