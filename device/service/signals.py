"""Lets the main thread wait for signals and for calls from other threads.

A signal handler that takes a lock can deadlock with the thread that holds it. This module therefore uses no handler
code. Python writes each signal's number to a pipe (`signal.set_wakeup_fd`), other threads write a zero, and the main
thread reads the pipe.

A library that waits for its server must not notice a signal. libjack takes an interrupted read for the end of its
connection, and the server then waits long for the lost client. So the kernel continues such calls after a signal.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import TracebackType

WANTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Catches SIGTERM, SIGINT and SIGHUP, which then only set `stop` or `reload` to true.

    It is a context manager for the main thread. At the end, the handlers from before count again.
    """

    def __init__(self) -> None:
        self.stop = False
        """Whether SIGTERM or SIGINT has arrived."""
        self.reload = False
        """Whether SIGHUP has arrived. The caller that acts on it sets it back to False."""

    def __enter__(self) -> Signals:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, lambda *_: None) for number in WANTED}
        for number in WANTED:
            signal.siginterrupt(number, False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        write, self._write = self._write, -1
        os.close(self._read)
        os.close(write)

    def wake(self) -> None:
        """Make `wait` return at once in the main thread. Any thread may call this."""
        with contextlib.suppress(OSError):
            os.write(self._write, b"\0")

    def wait(self, seconds: float) -> None:
        """Wait until a signal arrives or `wake` is called, for at most `seconds`.

        If a signal has arrived, `stop` or `reload` is set to true.
        """
        if not select.select([self._read], [], [], max(0.0, seconds))[0]:
            return
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._read, 4096):
                self.stop = self.stop or number in (signal.SIGTERM, signal.SIGINT)
                self.reload = self.reload or number == signal.SIGHUP
