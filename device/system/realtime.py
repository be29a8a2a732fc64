"""What keeps a Python process in time."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

PRIORITY = 50
"""Below the sound system's own threads (70 and above), above everything that is not in real time."""
SWITCH_S = 0.0005
"""A thread waits at most about this long for the interpreter; Python's own 5 ms would be heard as jitter."""


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """From here on no garbage collection, which takes 10 to 20 ms when it is a full one, and quick thread switches.

    Begin after everything is loaded.
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


def ask_for_fifo() -> bool:
    """Run the calling thread, and no other, under SCHED_FIFO; False where that is not permitted."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True
