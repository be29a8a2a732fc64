"""Measures how late this machine wakes a real-time thread that only sleeps.

It prints `ready`. On a line on stdin it prints the lateness since then, as JSON in milliseconds, and ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time

import numpy as np

PRIORITY = 50
NAP_S = 0.002


def main() -> None:
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    late_s = []
    print("ready", flush=True)
    while True:
        began_s = time.monotonic()
        if select.select([sys.stdin], [], [], NAP_S)[0]:
            break
        late_s.append(time.monotonic() - began_s - NAP_S)
    p99, p999 = np.percentile(late_s or [0.0], [99, 99.9])
    found = {"p99": 1e3 * p99, "p999": 1e3 * p999, "most": 1e3 * max(late_s, default=0.0)}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
