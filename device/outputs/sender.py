"""The thread that sends messages at their times, and lets go of everything where the loop no longer moves."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import mido
import numpy as np

from device.events import Send
from device.outputs.send_queue import SendQueue
from device.status.faults import Faults
from device.stream_time import StreamTime
from device.system.realtime import ask_for_fifo

LONGEST_WAIT_S = 0.05
"""The stream's time is asked for again at least this often, as it may have moved."""
MESSAGE_S = 0.001
"""A DIN cable takes this long for a message (3 bytes at 31250 baud)."""
DRAIN_S = 0.1
"""Closing a port right after a message loses it: MIDI systems hand it on later."""
CLOSE_TIMEOUT_S = 0.5
SENSING_S = 0.2
"""MIDI's Active Sensing: an instrument that gets nothing for 300 ms lets go of all keys, as after a pulled cable."""
LATE_S = 0.005
"""Later than this can be heard."""
TOO_LATE_S = 0.25
"""A note this late is worse than none."""
HUNG_S = 2.0
"""A port that takes no message for this long takes none any more."""
NEVER_S = float("inf")


class Sender:
    """Sends each message `lead_s` before the monotonic time of its due time, by `send`, in one thread of its own.

    `send` is called from that thread alone, and `failed` with what it raised. Messages put too late leave at
    once, but no note-on more than TOO_LATE_S late. While it is open, Active Sensing is sent at least every
    SENSING_S. Where `alive` is not called for `stall_s`, it lets go of every key and drops what waits.
    """

    def __init__(
        self,
        queue: SendQueue,
        send: Callable[[mido.Message], None],
        stream_time: StreamTime,
        lead_s: float = 0.0,
        failed: Callable[[Exception], None] = lambda error: None,
        stall_s: float = NEVER_S,
        faults: Faults | None = None,
        opening: Iterable[mido.Message] = (),
    ) -> None:
        self._queue = queue
        self._send = send
        self._time = stream_time
        self._lead_s = lead_s
        self._failed = failed
        self._stall_s = stall_s
        self._faults = Faults() if faults is None else faults
        self._opening = list(opening)
        self._changed = threading.Condition()
        self._closing = False
        self._late_s: deque[float] = deque(maxlen=4096)
        self._alive_s = NEVER_S
        self._stalled = False
        self._sent_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def put(self, sends: Iterable[Send]) -> None:
        """Queue messages; only once the stream's time is known. Nothing is queued after `close`."""
        with self._changed:
            if not self._closing:
                self._queue.put(sends, time.monotonic())
                self._changed.notify()

    def alive(self) -> None:
        """The loop has finished a hop; the first tells that it has begun."""
        self._alive_s = time.monotonic()

    @property
    def hangs(self) -> bool:
        """Whether the port has not taken a message for so long that it takes none any more."""
        return time.monotonic() - self._sent_s > HUNG_S

    def lateness_ms(self, percent: float) -> float | None:
        """The percentile of how long after their time the last messages left, None if none did.

        One that was put after its time counts from then: that is the input's lateness, and told as a fault.
        """
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
            for message in self._opening:
                self._send(message)
            while (messages := self._next()) is not None:
                for message in messages:
                    self._send(message)
                if messages:
                    self._sent_s = time.monotonic()
            silence = self._queue.panic()
            for message in silence:
                self._send(message)
            time.sleep(DRAIN_S + MESSAGE_S * len(silence))
        except Exception as error:  # whatever fails here must end the process, not this thread alone
            self._failed(error)

    def _next(self) -> list[mido.Message] | None:
        """Wait for the next messages to send; None when it is time to close."""
        with self._changed:
            while not self._closing:
                now_s = time.monotonic()
                if self._has_stalled(now_s):
                    return self._queue.let_go()
                if now_s - self._sent_s >= SENSING_S:
                    return [mido.Message("active_sensing")]
                due_s = self._queue.next_due_s
                wait_s = min(LONGEST_WAIT_S, self._sent_s + SENSING_S - now_s)
                if due_s is not None:
                    late_s = now_s - (self._time.wall(due_s) - self._lead_s)
                    if late_s >= 0:
                        return self._pop(late_s)
                    wait_s = min(wait_s, -late_s)
                self._changed.wait(wait_s)
        return None

    def _pop(self, late_s: float) -> list[mido.Message]:
        waited_s = time.monotonic() - self._queue.next_put_s
        self._late_s.append(min(late_s, waited_s))
        if late_s > LATE_S and waited_s < late_s:
            self._faults.count("messages decided late")
        if late_s > TOO_LATE_S:
            self._faults.count("late messages")
        return self._queue.pop(too_late=late_s > TOO_LATE_S)

    def _has_stalled(self, now_s: float) -> bool:
        """Whether the loop has stopped moving since the last question."""
        stalled = now_s - self._alive_s > self._stall_s
        new, self._stalled = stalled and not self._stalled, stalled
        if new:
            self._faults.count("stalls")
        return new
