"""Keeps a Python process on time: thread priority, thread switches and garbage collection."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator

PRIORITY = 50
"""SCHED_FIFO priority of a thread. Below the sound system's threads (70 and above), above all other programs."""
SWITCH_S = 0.0005
"""Longest wait of a thread for the interpreter, in seconds. Python's default of 5 ms would be heard as jitter."""


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """Turn garbage collection off and make thread switches fast while the `with` block runs.

    A full collection takes 10 to 20 ms. Enter after everything is loaded, so that loaded objects are never collected.
    """
    before_s = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before_s)
        gc.unfreeze()
        gc.enable()


def paced(
    count: int,
    period_s: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[int]:
    """Yield 0 to `count` - 1, one every `period_s` seconds, as hops come at the piano.

    A processor that was idle works more slowly at first, because its caches are empty and its clock frequency is low.
    Hops measured without pauses need only a third to a half of the time that they need at the piano. `now` returns
    monotonic seconds, `sleep` waits for seconds.
    """
    began_s = now()
    for number in range(count):
        early_s = began_s + number * period_s - now()
        if early_s > 0:
            sleep(early_s)
        yield number


def ask_for_fifo() -> bool:
    """Give real-time priority (SCHED_FIFO) to the calling thread alone.

    Returns False if that is not permitted, else True.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True
