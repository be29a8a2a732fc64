"""Messages that wait for their time, and the ledger of the keys that are down."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable

import mido

from device.types import Send

ALL_NOTES_OFF = 123
SUSTAIN = 64


class Outbox:
    """A queue of `Send`s by due time that gives MIDI messages on one channel, moved by `transpose` semitones.

    Whatever order it is asked in, each note-on that it gives is followed by one note-off before the next
    note-on of that key, and `panic` closes all that are open. Keys outside MIDI's 0 to 127 are left out.
    """

    def __init__(self, channel: int = 0, transpose: int = 0) -> None:
        self._channel = channel
        self._transpose = transpose
        self._queue: list[tuple[float, int, Send]] = []
        self._order = itertools.count()
        self._down: set[int] = set()
        self._sustained = False

    @property
    def down(self) -> frozenset[int]:
        """The keys (as sent) whose note-on was given and whose note-off was not."""
        return frozenset(self._down)

    @property
    def next_due_s(self) -> float | None:
        """When the next message is due, None if none waits."""
        return self._queue[0][0] if self._queue else None

    def put(self, sends: Iterable[Send]) -> None:
        """Add messages; those due at one time keep the order in which they came."""
        for send in sends:
            heapq.heappush(self._queue, (send.due_s, next(self._order), send))

    def pop(self) -> list[mido.Message]:
        """Take out what is due next: its message, none, or two if its key has to be let go first."""
        _, _, send = heapq.heappop(self._queue)
        if send.kind == "control":
            if send.pitch == SUSTAIN:
                self._sustained = send.velocity > 0
            return [self._message("control_change", control=send.pitch, value=send.velocity)]
        key = send.pitch + self._transpose
        if not 0 <= key <= 127:
            return []
        messages = [self._off(key)] if key in self._down else []
        if send.kind == "note_on":
            self._down.add(key)
            messages.append(self._message("note_on", note=key, velocity=send.velocity))
        return messages

    def panic(self) -> list[mido.Message]:
        """Forget what waits, and give what makes silence: a note-off for every key down, then CC123.

        The note-offs are said one by one because many instruments ignore CC123.
        """
        self._queue.clear()
        messages = [self._off(key) for key in sorted(self._down)]
        if self._sustained:
            self._sustained = False
            messages.append(self._message("control_change", control=SUSTAIN, value=0))
        return [*messages, self._message("control_change", control=ALL_NOTES_OFF, value=0)]

    def _off(self, key: int) -> mido.Message:
        self._down.discard(key)
        return self._message("note_off", note=key, velocity=0)

    def _message(self, kind: str, **data: int) -> mido.Message:
        return mido.Message(kind, channel=self._channel, **data)
