"""Signals are noticed by the main thread alone."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time

from device.service.signals import Signals

TIMES, APART_S = 50, 0.002


def test_a_signal_is_noticed_and_does_not_end_a_library_s_wait_for_its_server() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    ends = os.pipe()
    main = threading.get_ident()

    def server() -> None:
        for _ in range(TIMES):
            signal.pthread_kill(main, signal.SIGHUP)
            time.sleep(APART_S)
        os.write(ends[1], b"!")

    with Signals() as signals:
        answering = threading.Thread(target=server)
        answering.start()
        answer = ctypes.create_string_buffer(1)
        got, error = libc.read(ends[0], answer, 1), ctypes.get_errno()
        answering.join()
        signals.wait(0.0)
    for end in ends:
        os.close(end)
    assert (got, error, answer.raw) == (1, 0, b"!")
    assert signals.reload and not signals.stop
