"""Messages that wait for their time, and the ledger of the keys that are down."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable

import mido

from device.events import ALL_NOTES_OFF, SUSTAIN, Send

MOST_WAITING = 1024
"""A hand of five fingers never has so many before it; what comes beyond is a storm."""


class SendQueue:
    """A queue of `Send`s by due time that gives MIDI messages on one channel, moved by `transpose` semitones.

    Whatever order it is asked in, each note-on that it gives is followed by one note-off before the next
    note-on of that key, and `panic` closes all that are open. Keys outside MIDI's 0 to 127 are left out.
    It grows little beyond twice MOST_WAITING: of what is more, note-ons are left out, and keys are let go at once.
    """

    def __init__(self, channel: int = 0, transpose: int = 0) -> None:
        self._channel = channel
        self._transpose = transpose
        self._queue: list[tuple[float, int, Send, float]] = []
        self._order = itertools.count()
        self._down: set[int] = set()
        self._sustained = False
        self.refused = 0
        """Messages left out because too many waited."""

    def __len__(self) -> int:
        """How many messages wait."""
        return len(self._queue)

    @property
    def down(self) -> frozenset[int]:
        """The keys (as sent) whose note-on was given and whose note-off was not."""
        return frozenset(self._down)

    @property
    def next_due_s(self) -> float | None:
        """When the next message is due, None if none waits."""
        return self._queue[0][0] if self._queue else None

    @property
    def next_put_s(self) -> float:
        """When what is due next was put."""
        return self._queue[0][3]

    def put(self, sends: Iterable[Send], put_s: float = 0.0) -> None:
        """Add messages, now at `put_s`; those due at one time keep the order in which they came."""
        for send in sends:
            # room is kept for the note-offs of all that was let in
            if len(self._queue) >= MOST_WAITING * (2 if send.kind == "note_off" else 1):
                self.refused += 1
                if send.kind == "note_off":
                    self._let_go_first(send, put_s)
                continue
            heapq.heappush(self._queue, (send.due_s, next(self._order), send, put_s))

    def pop(self, too_late: bool = False) -> list[mido.Message]:
        """Take out what is due next: its message, none, or two if its key has to be let go first.

        `too_late`: it is long over, and only what lets go is still worth sending.
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
        """Forget what waits, and give a note-off for every key down and the pedal's end, where it is down."""
        self._queue.clear()
        messages = [self._off(key) for key in sorted(self._down)]
        if self._sustained:
            self._sustained = False
            messages.append(self._message("control_change", control=SUSTAIN, value=0))
        return messages

    def panic(self) -> list[mido.Message]:
        """As `let_go`, and then says it to all keys.

        The note-offs are said one by one because many instruments ignore CC123.
        """
        return [*self.let_go(), self._message("control_change", control=ALL_NOTES_OFF, value=0)]

    def _let_go_first(self, off: Send, put_s: float) -> None:
        """A note-off for which there is no room: nothing else of its key waits any longer, and it is next."""
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
