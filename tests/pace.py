"""How fast this machine is at the moment, so that a limit in seconds holds on a slow or busy one too.

A limit of the box in seconds was chosen on the reference machine, two x86-64 cores of 2026. Another machine, or one
with other work to do, takes longer for everything that the box does. So a fixed piece of work is timed after what the
test has timed, and a limit grows by as much as that piece takes longer than on the reference machine. It never shrinks.
"""

from __future__ import annotations

import subprocess
import sys
import time

WORK = "import json\nfor _ in range(4): json.loads(json.dumps(list(range(30_000))))\nsum(i * i for i in range(300_000))"
"""The start of a process, imports, memory and arithmetic, as in the start of the box."""
REFERENCE_S = 0.1
"""Seconds that WORK takes on an idle reference machine: 0.077 s of processor time, and a margin."""
RUNS = 3


def slower() -> float:
    """How many times longer than on the reference machine everything takes now, at least 1: the worst of some runs."""
    return max(1.0, max(_work_s() for _ in range(RUNS)) / REFERENCE_S)


def within(limit_s: float) -> float:
    """The limit in seconds that holds on this machine now, for a limit of the reference machine."""
    return limit_s * slower()


def _work_s() -> float:
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-I", "-c", WORK], check=True)
    return time.monotonic() - began_s
