"""Measures how slow this machine is at the moment, so that limits in seconds can be adapted to it.

The limits were chosen on the reference machine, two x86-64 cores of 2026. Another machine, or a busy one, takes longer
for everything that the box does. So after a test has timed the box, it times a fixed piece of work. If that work takes
twice as long as on the reference machine, the limit is doubled. A limit never becomes shorter.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

WORK = "import json\nfor _ in range(4): json.loads(json.dumps(list(range(30_000))))\nsum(i * i for i in range(300_000))"
"""The fixed piece of work: imports, memory and arithmetic in a new process, like the start of the box."""
REFERENCE_S = 0.1
"""Seconds that WORK takes on an idle reference machine: 0.077 s of processor time, plus a margin."""
SYNCED_BYTES, SYNC_S = 1_000_000, 0.1
"""Bytes that `meanwhile` writes and syncs, and the most seconds that this takes on the reference machine."""
RUNS = 3
"""Number of times that WORK is timed. The slowest run counts."""


def slower() -> float:
    """Return how many times longer WORK takes now than on the reference machine, at least 1."""
    return max(1.0, max(_work_s() for _ in range(RUNS)) / REFERENCE_S)


def within(limit_s: float) -> float:
    """Return the limit in seconds for this machine now. `limit_s` is the limit for the reference machine."""
    return limit_s * slower()


@contextlib.contextmanager
def meanwhile(folder: Path) -> Iterator[list[float]]:
    """Measure in another thread, while the `with` block runs, how many times slower the machine and its disk are.

    The list gets one value a second, at least 1. The first one is there before the block begins. This is for what
    writes to the disk beside other tests: their load may be over when `within` measures it.
    """
    slower, over = [_slower_with_disk(folder)], threading.Event()

    def measure() -> None:
        while not over.wait(1.0):
            slower.append(_slower_with_disk(folder))

    thread = threading.Thread(target=measure)
    thread.start()
    try:
        yield slower
    finally:
        over.set()
        thread.join()


def _slower_with_disk(folder: Path) -> float:
    took_s = _work_s()
    began_s = time.monotonic()
    with (folder / "synced").open("wb") as file:
        file.write(bytes(SYNCED_BYTES))
        os.fsync(file.fileno())
    return max(1.0, took_s / REFERENCE_S, (time.monotonic() - began_s) / SYNC_S)


def _work_s() -> float:
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-I", "-c", WORK], check=True)
    return time.monotonic() - began_s
