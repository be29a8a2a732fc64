"""Sends messages at their due times in a thread of its own, and releases all keys if the loop stops."""

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
"""Seconds. While a message waits, the stream time is read again at least this often, because its offset to the clock
may have changed. Without a message the thread sleeps until Active Sensing is due or the loop would count as stopped."""
MESSAGE_S = 0.001
"""Seconds that a DIN cable needs for a message (3 bytes at 31250 baud)."""
DRAIN_S = 0.1
"""Seconds between the last message and closing the port. MIDI systems deliver late, and closing would lose it."""
SILENCED_TIMES = 2
"""How many times the releases at the end are sent. A JACK server skips a cycle when a client is late, and a skipped
cycle loses its messages. A key would then stay down."""
CLOSE_TIMEOUT_S = 0.6
"""Seconds that `close` waits for the thread at most."""
SENSING_S = 0.2
"""Seconds between Active Sensing messages at most. By the MIDI standard an instrument releases all keys if it
receives nothing for 300 ms. So keys do not hang when a cable is pulled."""
LATE_S = 0.005
"""Seconds. A listener can hear a delay longer than this."""
TOO_LATE_S = 0.25
"""Seconds. A note that is later than this disturbs more than a missing note."""
HUNG_S = 2.0
"""Seconds. A port that accepts no message for this long is treated as hung."""
NEVER_S = float("inf")


class Sender:
    """Sends each message through `send`, `lead_s` seconds before its due time, in a thread of its own.

    The lead `lead_s` makes up for the delay between a message and the time at which the box hears its sound. So the
    left hand sounds in time with the right hand. `opening` holds the MIDI messages that are sent before all
    others, such as the choice of a sound.

    Only the thread calls `send`. If `send` raises an error, the thread calls `failed` with it and ends. A message that
    was put in too late leaves at once, but a note-on more than TOO_LATE_S late is left out. Active Sensing is sent at
    least every SENSING_S while the sender is open.

    The loop that processes the hops calls `alive` after every hop. If it does not do so for `stall_s` seconds, the loop
    has stopped, which is called a stall. The sender then releases all keys and drops all waiting messages.
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
        self._stalled_since_s = NEVER_S
        self._sent_s = time.monotonic()
        self._sending_s: float | None = None
        """Time at which the messages that are now at the port were passed to it; None while there are none."""
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def put(self, sends: Iterable[Send]) -> None:
        """Queue messages of the left hand. The stream time must be known. After `close` they are dropped."""
        with self._changed:
            if not self._closing:
                first_s = self._queue.next_due_s
                self._queue.put(sends, time.monotonic())
                # a message behind the first one need not wake the thread
                if self._queue.next_due_s != first_s:
                    self._changed.notify()

    def alive(self) -> None:
        """Report that the loop has finished a hop. Stalls are looked for only after the first call."""
        self._alive_s = time.monotonic()

    def lead(self, seconds: float) -> None:
        """Send messages that still wait, and all later ones, `seconds` before their due times."""
        self._lead_s = seconds

    @property
    def hangs(self) -> bool:
        """True if the port has not accepted a message within HUNG_S seconds.

        A machine that stops this process for so long makes no port hang.
        """
        since_s = self._sending_s
        return since_s is not None and time.monotonic() - since_s > HUNG_S

    def lateness_ms(self, percent: float) -> float | None:
        """Return the given percentile of the lateness of recent messages in ms; None if no message was sent.

        For a message that was put in after its due time, lateness counts from the time of putting. The earlier part
        is the lateness of the decision, which is counted as a fault.
        """
        late = list(self._late_s)
        return float(np.percentile(late, percent)) * 1e3 if late else None

    def close(self) -> None:
        """Drop waiting messages, release all keys, and wait at most CLOSE_TIMEOUT_S until that is sent."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        """Send until the sender is closed, then release all keys. This is the work of the thread."""
        ask_for_fifo()
        try:
            self._sending_s = time.monotonic()
            for message in self._opening:
                self._send(message)
            self._sending_s = None
            while (messages := self._next()) is not None:
                self._sending_s = time.monotonic()
                for message in messages:
                    self._send(message)
                self._sending_s = None
                if messages:
                    self._sent_s = time.monotonic()
            silence = self._queue.panic()
            for _ in range(SILENCED_TIMES):
                for message in silence:
                    self._send(message)
                time.sleep(DRAIN_S + MESSAGE_S * len(silence))
        except Exception as error:  # any failure here must end the process, not only this thread
            self._failed(error)

    def _next(self) -> list[mido.Message] | None:
        """Wait for the next messages and return them as a list to send at once; return None when the sender closes."""
        with self._changed:
            while not self._closing:
                now_s = time.monotonic()
                if self._has_stalled(now_s):
                    return self._queue.let_go()
                if now_s - self._sent_s >= SENSING_S:
                    return [mido.Message("active_sensing")]
                due_s = self._queue.next_due_s
                wait_s = self._sent_s + SENSING_S - now_s
                if not self._stalled:
                    wait_s = min(wait_s, max(0.0, self._alive_s + self._stall_s - now_s))
                if due_s is not None:
                    late_s = now_s - (self._time.wall(due_s) - self._lead_s)
                    if late_s >= 0:
                        return self._pop(late_s)
                    wait_s = min(wait_s, LONGEST_WAIT_S, -late_s)
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
        """Return True once for each stall: at the first call after the loop has stopped."""
        alive_s = self._alive_s
        self._stalled = now_s - alive_s > self._stall_s
        # the loop may have run for a few hops and stopped again while this thread slept: that is a second stall
        if not self._stalled or alive_s == self._stalled_since_s:
            return False
        self._stalled_since_s = alive_s
        self._faults.count("stalls")
        return True
