"""Writes the files of a capture, each in its final format, as the input and the events come.

At any moment the files on the disk can be read and lack at most the last second: that is the longest time between two
calls of `step` plus SYNC_S plus LAG_S. Nothing is rewritten or removed at the end, so the end takes as long for a long
recording as for a short one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError
from device.events import Event, Note, NoteEnded, NoteHeard, Send
from device.files import notes_csv
from device.recording.capture import HOW, KEYS, MEMORY, NOTES, SENT, SOUND, CaptureSettings
from device.recording.folder import CaptureFolder, GrowingFile
from device.recording.midi_writer import MidiWriter
from device.recording.wav_writer import WavWriter

SYNC_S = 0.5
"""Seconds between two times at which everything is written to the disk."""
LAG_S = 0.25
"""Seconds that a message waits for messages that are due before it. The engine rarely decides one later than that."""


@dataclass(frozen=True)
class InputEnd:
    """The events that the engine gave after the input's end, the input's length, and the time of the last message.

    Both times are in seconds. Notes that were decided after the input's end are left out, as in `Performance`.
    """

    events: Sequence[Event]
    input_s: float
    latest_s: float


class CaptureWriter:
    """Makes the files of a capture in `folder`. `rate` is the sample rate in Hz; None for a keyboard.

    One thread calls it, which may wait for the disk. Raises UserError if a file cannot be made, and later OSError.
    """

    def __init__(
        self, folder: CaptureFolder, how: CaptureSettings, rate: int | None, memory: bytes | None = None
    ) -> None:
        self._folder, self._rate = folder, rate
        self._files: list[GrowingFile] = []
        self._open_notes: dict[tuple[int, float], int] = {}
        self._named = False
        self._synced_s = float("-inf")
        try:
            self._begin(how, memory)
        except UserError:
            self._close()
            raise

    def _begin(self, how: CaptureSettings, memory: bytes | None) -> None:
        rate = self._rate
        if memory is not None:
            self._create(MEMORY).append(memory)
        self._create(HOW).append(json.dumps(asdict(how), indent=1).encode() + b"\n")
        self._sound = None if rate is None else WavWriter(self._create(SOUND), rate)
        self._keys = MidiWriter(self._create(KEYS), "Right hand") if rate is None else None
        self._sent = MidiWriter(self._create(SENT), "Left hand")
        self._notes = self._create(NOTES)
        self._notes.append(notes_csv.header().encode())

    def _create(self, name: str) -> GrowingFile:
        self._files.append(self._folder.create(name))
        return self._files[-1]

    def sound(self, block: NDArray[np.float32]) -> None:
        """Take in a block of the input, float32[n]. All events up to the block's start must have been taken in."""
        assert self._sound is not None and self._rate is not None
        self.reached(self._sound.samples / self._rate)
        self._sound.append(block)

    def collect(self, events: Sequence[Event]) -> None:
        """Record the heard notes, the ends of notes and the sent messages among `events`. Ignore the others.

        Rows of the notes file are written at once. MIDI messages wait until `reached` passes their time.
        """
        for event in events:
            match event:
                case NoteHeard(note):
                    self._heard(note)
                case NoteEnded(pitch, onset_s, offset_s):
                    self._ended(pitch, onset_s, offset_s)
                case Send():
                    self._sent.put([event])

    def reached(self, now_s: float) -> None:
        """Take in that all events up to the stream time `now_s`, in seconds, have come."""
        self._sent.until(now_s - LAG_S)
        if self._keys is not None:
            self._keys.until(now_s)

    def step(self, at_s: float) -> None:
        """Write everything to the disk if SYNC_S have passed since the last time. `at_s` is a monotonic time."""
        if at_s - self._synced_s >= SYNC_S:
            self._synced_s = at_s
            self._sync()

    def end(self, ending: InputEnd | None) -> None:
        """Finish all files, write them to the disk and close them. Without `ending` the recording is only cut here."""
        try:
            if ending is not None:
                self.collect([event for event in ending.events if not _is_late(event, ending.input_s)])
            self._sent.end(None if ending is None else ending.latest_s)
            if self._keys is not None:
                self._keys.end()
            self._sync()
            # a size that reached the disk before what it counts would make the file look cut
            for writer in (self._sound, self._keys, self._sent):
                if writer is not None:
                    writer.seal()
            self._sync()
        finally:
            self._close()

    def _close(self) -> None:
        for file in self._files:
            with contextlib.suppress(OSError):
                file.close()
        self._folder.close()

    def _sync(self) -> None:
        for file in self._files:
            file.sync()
        if not self._named:
            self._folder.sync()
            self._named = True

    def _heard(self, note: Note) -> None:
        row, place = notes_csv.row(note)
        if note.offset_s is None:
            self._open_notes[note.pitch, note.onset_s] = self._notes.size + place
        self._notes.append(row.encode())
        if self._keys is not None:
            self._keys.put(key_messages(note))

    def _ended(self, pitch: int, onset_s: float, offset_s: float) -> None:
        place = self._open_notes.pop((pitch, onset_s), None)
        if place is None:
            return
        self._notes.patch(place, notes_csv.offset(offset_s).encode())
        if self._keys is not None:
            self._keys.put([Send(offset_s, offset_s, "note_off", pitch, 0)])


def _is_late(event: Event, input_s: float) -> bool:
    return isinstance(event, NoteHeard) and event.note.decided_s > input_s


def key_messages(note: Note) -> list[Send]:
    """Return the note-on and, if the note has ended, the note-off of a keyboard's `note`."""
    messages = [Send(note.onset_s, note.onset_s, "note_on", note.pitch, note.velocity)]
    if note.offset_s is not None:
        messages.append(Send(note.offset_s, note.offset_s, "note_off", note.pitch, 0))
    return messages
