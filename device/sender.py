"""The thread that sends messages at their times."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import mido
import numpy as np

from device.outbox import Outbox
from device.realtime import ask_for_fifo
from device.streamtime import StreamTime
from device.types import Send

LONGEST_WAIT_S = 0.05
"""The stream's time is asked for again at least this often, as it may have moved."""
MESSAGE_S = 0.001
"""A DIN cable takes this long for a message (3 bytes at 31250 baud)."""
DRAIN_S = 0.1
"""Closing a port right after a message loses it: MIDI systems hand it on later."""
CLOSE_TIMEOUT_S = 5.0


class Sender:
    """Sends each message `lead_s` before the monotonic time of its due time, by `send`, in one thread of its own.

    `send` is called from that thread alone, and `failed` with what it raised. Messages put too late leave at once.
    """

    def __init__(
        self,
        outbox: Outbox,
        send: Callable[[mido.Message], None],
        stream_time: StreamTime,
        lead_s: float = 0.0,
        failed: Callable[[Exception], None] = lambda error: None,
    ) -> None:
        self._outbox = outbox
        self._send = send
        self._time = stream_time
        self._lead_s = lead_s
        self._failed = failed
        self._changed = threading.Condition()
        self._closing = False
        self._late_s: deque[float] = deque(maxlen=10_000)
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def put(self, sends: Iterable[Send]) -> None:
        """Queue messages; only once the stream's time is known. Nothing is queued after `close`."""
        with self._changed:
            if not self._closing:
                self._outbox.put(sends)
                self._changed.notify()

    def lateness_ms(self, percent: float) -> float | None:
        """The percentile of how late the last messages left, None if none did."""
        late = list(self._late_s)
        return float(np.percentile(late, percent)) * 1e3 if late else None

    def close(self) -> None:
        """Drop what waits, let every key go, and return when that has left."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        ask_for_fifo()
        try:
            while (messages := self._next()) is not None:
                for message in messages:
                    self._send(message)
            silence = self._outbox.panic()
            for message in silence:
                self._send(message)
            time.sleep(DRAIN_S + MESSAGE_S * len(silence))
        except Exception as error:  # whatever fails here must end the process, not this thread alone
            self._failed(error)

    def _next(self) -> list[mido.Message] | None:
        """Wait for the next messages to send; None when it is time to close."""
        with self._changed:
            while not self._closing:
                due_s = self._outbox.next_due_s
                if due_s is None:
                    self._changed.wait()
                    continue
                late_s = time.monotonic() - (self._time.wall(due_s) - self._lead_s)
                if late_s >= 0:
                    self._late_s.append(late_s)
                    return self._outbox.pop()
                self._changed.wait(min(-late_s, LONGEST_WAIT_S))
        return None
