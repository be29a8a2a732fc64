"""The state of a thread that C has made is kept between two calls of a Python function."""

from __future__ import annotations

import ctypes
import threading

from device.system.foreign_thread import keep_state, release_state

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)


def test_what_a_thread_made_by_c_keeps_survives_until_its_state_is_released() -> None:
    """The thread runs `dl_iterate_phdr` of the C library, which calls its first argument once for each library.

    A value of `threading.local` belongs to the state of the thread, so it shows whether the state was kept.
    """
    libc = ctypes.CDLL(None)
    local, seen = threading.local(), []

    def called(*_: object) -> int:
        local.calls = getattr(local, "calls", 0) + 1
        seen.append(local.calls)
        if len(seen) == 2:
            keep_state()
        if len(seen) == 5:
            release_state()
        return int(len(seen) == 7)

    thread, callback = ctypes.c_ulong(), Callback(called)
    start = ctypes.cast(libc.dl_iterate_phdr, ctypes.c_void_p)
    assert libc.pthread_create(ctypes.byref(thread), None, start, callback) == 0
    assert libc.pthread_join(thread, None) == 0
    assert seen == [1, 1, 2, 3, 4, 1, 1]
