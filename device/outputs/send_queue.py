"""Holds messages until they are due, and records which keys are down."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable

import mido

from device.events import ALL_NOTES_OFF, SUSTAIN, Send

MOST_WAITING = 1024
"""Number of waiting messages at which the queue is full. A left hand of five fingers needs far fewer."""


class SendQueue:
    """A queue of `Send`s, ordered by due time. `pop` returns the next one as MIDI messages.

    The MIDI messages are on the channel `channel`, counted from 0. Their keys are moved up by `transpose` semitones.
    Keys that then lie outside 0 to 127 are left out. Between two note-ons of a key, the queue always returns a note-off
    of that key, even if the messages were put in without one. `panic` releases all keys that are down.

    If MOST_WAITING messages wait, further messages are left out, except note-offs. If twice as many wait, a further
    note-off releases its key with the next message instead of at its due time.
    """

    def __init__(self, channel: int = 0, transpose: int = 0) -> None:
        self._channel = channel
        self._transpose = transpose
        self._queue: list[tuple[float, int, Send, float]] = []
        self._order = itertools.count()
        self._down: set[int] = set()
        self._sustained = False
        self.refused = 0
        """Number of messages that were left out because the queue was full."""

    def __len__(self) -> int:
        """Return the number of waiting messages."""
        return len(self._queue)

    @property
    def down(self) -> frozenset[int]:
        """Return the keys whose note-on was given and whose note-off was not, as MIDI numbers after transposition."""
        return frozenset(self._down)

    @property
    def next_due_s(self) -> float | None:
        """Return the due time of the next message in seconds of stream time; None if no message waits."""
        return self._queue[0][0] if self._queue else None

    @property
    def next_put_s(self) -> float:
        """Return the time at which the next message was put in, as given to `put`.

        Raises IndexError if no message waits.
        """
        return self._queue[0][3]

    def put(self, sends: Iterable[Send], put_s: float = 0.0) -> None:
        """Add messages at the time `put_s`. Messages with the same due time keep their order."""
        for send in sends:
            # note-offs get extra room, so that every accepted note-on can be released
            if len(self._queue) >= MOST_WAITING * (2 if send.kind == "note_off" else 1):
                self.refused += 1
                if send.kind == "note_off":
                    self._let_go_first(send, put_s)
                continue
            heapq.heappush(self._queue, (send.due_s, next(self._order), send, put_s))

    def pop(self, too_late: bool = False) -> list[mido.Message]:
        """Take out the next message and return it as a list of MIDI messages. Raises IndexError if no message waits.

        The list is empty, or has one message, or two if a key that is down must be released before its next note-on.
        With `too_late` a note-on is left out and only releases its key, because the note would sound at a wrong time.
        """
        _, _, send, _ = heapq.heappop(self._queue)
        if send.kind == "control":
            if send.pitch == SUSTAIN:
                self._sustained = send.velocity > 0
            return [self._message("control_change", control=send.pitch, value=send.velocity)]
        key = send.pitch + self._transpose
        if not 0 <= key <= 127:
            return []
        messages = [self._off(key)] if key in self._down else []
        if send.kind == "note_on" and not too_late:
            self._down.add(key)
            messages.append(self._message("note_on", note=key, velocity=send.velocity))
        return messages

    def let_go(self) -> list[mido.Message]:
        """Drop all waiting messages.

        Return a note-off for every key that is down, and a message that lifts a pressed pedal.
        """
        self._queue.clear()
        messages = [self._off(key) for key in sorted(self._down)]
        if self._sustained:
            self._sustained = False
            messages.append(self._message("control_change", control=SUSTAIN, value=0))
        return messages

    def panic(self) -> list[mido.Message]:
        """Drop all waiting messages. Return the messages of `let_go`, and then All Notes Off (CC 123).

        The note-offs of `let_go` are needed because many instruments ignore CC 123.
        """
        return [*self.let_go(), self._message("control_change", control=ALL_NOTES_OFF, value=0)]

    def _let_go_first(self, off: Send, put_s: float) -> None:
        """Release the key of the note-off `off` early, because the queue has no room left.

        All waiting notes of this key are dropped. If the key is down, `off` is put in with the due time of the first
        waiting message.
        """
        first_s = self._queue[0][0]
        rest = [entry for entry in self._queue if entry[2].kind == "control" or entry[2].pitch != off.pitch]
        if off.pitch + self._transpose in self._down:
            rest.append((first_s, next(self._order), off, put_s))
        heapq.heapify(rest)
        self._queue = rest

    def _off(self, key: int) -> mido.Message:
        self._down.discard(key)
        return self._message("note_off", note=key, velocity=0)

    def _message(self, kind: str, **data: int) -> mido.Message:
        return mido.Message(kind, channel=self._channel, **data)
