"""Writes MIDI messages into a MIDI file as they come.

`device.files.midi.unfinished` can read a file that has no end yet.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable

import mido

from device.clock.tempo_map import DEFAULT_US_PER_QUARTER, TICKS_PER_BEAT, TempoMap
from device.events import Send
from device.files.midi.unfinished import END_OF_TRACK, UNKNOWN_LENGTH
from device.recording.folder import GrowingFile

TICKS = TempoMap(TICKS_PER_BEAT)
_OFF, _CONTROL, _ON = range(3)
"""Order of the messages of one tick: note-offs, control changes, note-ons."""


class MidiWriter:
    """Writes a tempo track and a note track, called `name`, into `file`.

    Messages may be given in any order. They wait until `until` or `end` writes them, sorted by time. Messages of one
    time keep their order. As in `write_midi`, every note lasts at least one tick and ends before its key is struck
    again.
    """

    def __init__(self, file: GrowingFile, name: str) -> None:
        self._file = file
        self._waiting: list[tuple[float, int, Send]] = []
        self._ready: list[tuple[int, int, int, bytes]] = []
        self._numbers = itertools.count()
        self._down: dict[int, int] = {}
        self._free_from: dict[int, int] = {}
        self._least_tick = 0
        self._written_tick = 0
        tempo = _event(0, mido.MetaMessage("set_tempo", tempo=DEFAULT_US_PER_QUARTER).bytes()) + END_OF_TRACK
        file.append(b"MThd" + (6).to_bytes(4) + b"".join(n.to_bytes(2) for n in (1, 2, TICKS_PER_BEAT)))
        file.append(b"MTrk" + len(tempo).to_bytes(4) + tempo)
        file.append(b"MTrk")
        self._length_at = file.size
        file.append(UNKNOWN_LENGTH.to_bytes(4))
        file.append(_event(0, mido.MetaMessage("track_name", name=name).bytes()))

    def put(self, sends: Iterable[Send]) -> None:
        """Queue messages to be written.

        A message that is due before the time of the last `until` is written at that time.
        """
        for send in sends:
            heapq.heappush(self._waiting, (send.due_s, next(self._numbers), send))

    def until(self, stream_s: float) -> None:
        """Write all messages that are due before `stream_s` seconds."""
        while self._waiting and self._waiting[0][0] < stream_s:
            self._take(heapq.heappop(self._waiting)[-1])
        self._least_tick = max(self._least_tick, TICKS.tick(stream_s))
        # a message that comes later is due at the least tick or after it
        self._write(self._least_tick)

    def end(self, latest_s: float | None = None, track_s: float = 0.0) -> None:
        """Write all messages that wait, release the keys that are down, and end the track.

        If `latest_s` is given, in seconds, note-ons that are due then or later are left out, and other messages due
        later are moved to this time. The track ends with its last message, and not before `track_s` seconds.
        """
        while self._waiting:
            due_s, _, send = heapq.heappop(self._waiting)
            if latest_s is None or due_s < latest_s or send.kind != "note_on":
                self._take(send, latest_s)
        self._write(None)
        for pitch in list(self._down):
            self._release(pitch, self._written_tick)
        self._write(None)
        self._file.append(_event(max(0, TICKS.tick(track_s) - self._written_tick), END_OF_TRACK[1:]))

    def seal(self) -> None:
        """Write the length of the track into the file, after `end`. The track itself must be on the disk before."""
        length = self._file.size - self._length_at - 4
        if length < UNKNOWN_LENGTH:
            self._file.patch(self._length_at, length.to_bytes(4))

    def _take(self, send: Send, latest_s: float | None = None) -> None:
        due_s = send.due_s if latest_s is None else min(send.due_s, latest_s)
        tick = max(TICKS.tick(max(due_s, 0.0)), self._least_tick)
        if send.kind == "control":
            self._emit(tick, _CONTROL, mido.Message("control_change", control=send.pitch, value=send.velocity))
            return
        self._release(send.pitch, tick)
        if send.kind == "note_on":
            on = max(tick, self._free_from.get(send.pitch, 0))
            self._down[send.pitch] = on
            self._emit(on, _ON, mido.Message("note_on", note=send.pitch, velocity=send.velocity))

    def _release(self, pitch: int, tick: int) -> None:
        if pitch in self._down:
            off = max(tick, self._down.pop(pitch) + 1)
            self._free_from[pitch] = off
            self._emit(off, _OFF, mido.Message("note_off", note=pitch))

    def _emit(self, tick: int, rank: int, message: mido.Message) -> None:
        heapq.heappush(self._ready, (tick, rank, next(self._numbers), bytes(message.bytes())))

    def _write(self, before: int | None) -> None:
        while self._ready and (before is None or self._ready[0][0] < before):
            tick, _, _, message = heapq.heappop(self._ready)
            self._file.append(_event(tick - self._written_tick, message))
            self._written_tick = tick


def _event(delta: int, message: Iterable[int]) -> bytes:
    """Return the bytes of a MIDI file for `message`, which comes `delta` ticks after the message before it."""
    digits = [delta & 0x7F]
    while delta := delta >> 7:
        digits.append(0x80 | delta & 0x7F)
    return bytes([*reversed(digits), *message])
