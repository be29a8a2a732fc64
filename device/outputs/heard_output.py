"""Sends the heard right hand to a MIDI port, so that a piano without MIDI plays other instruments: `[midi] heard`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import mido

from device.events import Event, NoteEnded, NoteHeard, Send
from device.outputs.send_queue import SendQueue
from device.outputs.sender import Sender
from device.ports.port import Port
from device.stream_time import StreamTime


class HeardOutput:
    """Sends each right-hand note when it is decided, and its end when the end is decided, without a further delay.

    A sender with a bounded queue does the sending in a thread of its own, so the audio loop never waits for the port.
    The sender releases all keys when it closes, and when the loop stops. Notes of the player's left hand and the
    box's own notes are not sent.
    """

    def __init__(
        self,
        port: Port,
        channel: int,
        send: Callable[[mido.Message], None],
        stream_time: StreamTime,
        failed: Callable[[Exception], None],
        stall_s: float,
        opening: Iterable[mido.Message] = (),
    ) -> None:
        """`send` sends to `port`. `channel` is counted from 0. The other arguments are those of `Sender`."""
        self.port = port
        # this sender counts no faults in the status: a note leaves after its decision, so each would count as late
        self.sender = Sender(
            SendQueue(channel),
            send,
            stream_time,
            lead_s=0.0,
            failed=failed,
            stall_s=stall_s,
            faults=None,
            opening=opening,
        )
        """The sender. The session closes it, and the loop reports each finished hop to it."""
        self._down: dict[int, float] = {}

    def take(self, events: Sequence[Event], now_s: float) -> None:
        """Send the right-hand notes that begin or end among `events`, decided by `now_s` seconds of stream time."""
        sends: list[Send] = []
        for event in events:
            if isinstance(event, NoteHeard) and event.note.hand == "right":
                note = event.note
                self._down[note.pitch] = note.onset_s
                # a note-on with velocity 0 would be a note-off
                sends.append(Send(now_s, now_s, "note_on", note.pitch, max(1, note.velocity)))
            elif isinstance(event, NoteEnded) and self._down.get(event.pitch) == event.onset_s:
                # the end of a note that was struck again, or of the left hand's, is not the end of this note
                del self._down[event.pitch]
                sends.append(Send(now_s, now_s, "note_off", event.pitch, 0))
        if sends:
            self.sender.put(sends)

    def panic(self, now_s: float) -> None:
        """Release all keys that this output holds down. A note that the player still holds is not struck again.

        `now_s` is the present stream time in seconds.
        """
        self.sender.put([Send(now_s, now_s, "note_off", pitch, 0) for pitch in sorted(self._down)])
        self._down.clear()
