"""Limits in seconds. `make timed` judges them, and `make test` only prints the times.

A limit in seconds depends on the machine and on what else it does. So `make test` asserts what happens and in which
order, and waits for it with patience. `make timed` runs the same tests one after another on a quiet machine, and
asserts their limits too. The limits were chosen on the reference machine, two x86-64 cores of 2026. A slower machine
takes longer for everything, so after a test has timed the box, it times a fixed piece of work. If that takes twice as
long as on the reference machine, the limit is doubled. A limit never becomes shorter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

TIMED = os.environ.get("LEFTHAND_TIMED") == "1"
"""Whether limits in seconds are asserted. `make timed` sets the variable."""
WORK = "import json\nfor _ in range(4): json.loads(json.dumps(list(range(30_000))))\nsum(i * i for i in range(300_000))"
"""The fixed piece of work: imports, memory and arithmetic in a new process, like the start of the box."""
REFERENCE_S = 0.1
"""Seconds that WORK takes on an idle reference machine: 0.077 s of processor time, plus a margin."""
RUNS = 3
"""Number of times that WORK is timed. The slowest run counts."""


def within(limit_s: float) -> float:
    """Return the limit in seconds for this machine now. `limit_s` is the limit for the reference machine."""
    return limit_s * max(1.0, max(_work_s() for _ in range(RUNS)) / REFERENCE_S)


def in_time(what: str, took_s: float, limit_s: float) -> None:
    """Print how many seconds something took. With TIMED, assert that this is within the limit for this machine now."""
    print(f"measured: {what}: {took_s:.2f} s")
    if TIMED:
        now_s = within(limit_s)
        assert took_s <= now_s, f"{what}: {took_s:.2f} s, the limit is {now_s:.2f} s"


def _work_s() -> float:
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-I", "-c", WORK], check=True)
    return time.monotonic() - began_s
