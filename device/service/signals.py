"""Signals, and what other threads have to say, as something that the main thread waits for.

A handler that touched a lock could meet the very thread that holds it; so the interpreter's own wake-up
pipe is read, to which it writes each signal's number, and the other threads a zero.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from types import TracebackType

WANTED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """While it is entered, by the main thread, SIGTERM, SIGINT and SIGHUP are only told."""

    def __init__(self) -> None:
        self.stop = False
        """SIGTERM or SIGINT has come."""
        self.reload = False
        """SIGHUP has come; whoever acts on it takes it back."""

    def __enter__(self) -> Signals:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, lambda *_: None) for number in WANTED}
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
        """From any thread: let `wait` return."""
        with contextlib.suppress(OSError):
            os.write(self._write, b"\0")

    def wait(self, seconds: float) -> None:
        """Until a signal has come or `wake` was called, `seconds` at most."""
        if not select.select([self._read], [], [], max(0.0, seconds))[0]:
            return
        with contextlib.suppress(BlockingIOError):
            for number in os.read(self._read, 4096):
                self.stop = self.stop or number in (signal.SIGTERM, signal.SIGINT)
                self.reload = self.reload or number == signal.SIGHUP
