"""Keeps Python's state of a thread that a library in C has made.

Python makes a state for such a thread each time when the library calls a Python function, and removes the state when
the function returns. A state needs memory of its own from the kernel: on Python 3.11 that is an `mmap`, a page fault
and a `munmap` at each call, which interrupts the other cores too. A state that is kept costs this only once.
"""

from __future__ import annotations

import ctypes

_HAD_LOCK = 0
"""PyGILState_LOCKED: the thread that takes or gives back a reference to its state has the interpreter's lock."""


def keep_state() -> None:
    """Keep Python's state of the calling thread until `release_state`, also between two calls from C.

    This adds one to the counter of PyGILState_Ensure (Python/C API, "Non-Python created threads"). In a thread that
    Python itself has made this changes nothing. A thread that ends before `release_state` leaves its state: 17 kB.
    """
    ctypes.pythonapi.PyGILState_Ensure()


def release_state() -> None:
    """Take `keep_state` back. Only the thread that called it may call this, and only once for each call of it."""
    ctypes.pythonapi.PyGILState_Release(_HAD_LOCK)
