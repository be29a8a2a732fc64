"""Writes the files of a capture, each in its final format, as the input and the events come.

A capture is the folder of one recorded live run. At any moment the files on the disk can be read. They lack at most the
last second: the longest time between two calls of `CaptureWriter.step`, plus SYNC_S, plus LAG_S. Nothing is rewritten
or removed at the end, so the end takes as long for a long recording as for a short one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from device.engine import TimedAction
from device.errors import UserError
from device.events import Beat, Event, Note, NoteEnded, NoteHeard, Send
from device.files.results import notes_csv
from device.inputs.source import Loss
from device.recording import actions_csv, losses_csv
from device.recording.capture import ACTIONS, BEATS, HOW, KEYS, LOSSES, MEMORY, NOTES, SENT, SOUND, CaptureSettings
from device.recording.folder import CaptureFolder, GrowingFile
from device.recording.midi_writer import MidiWriter
from device.recording.wav_writer import WavWriter

SYNC_S = 0.5
"""Seconds between two times at which everything is written to the disk."""
LAG_S = 0.25
"""Seconds that a message waits for messages that are due before it. The engine rarely decides one later than that."""
BEAT_COLUMNS = ("time_s", "position", "lock")
"""Columns of the file of beats: see `Beat` for their meaning."""


@dataclass(frozen=True)
class InputEnd:
    """Holds what the end of a recording needs: the last events, the input's length, and the latest time of a message.

    The engine gave `events` after the input had ended. Notes in them that were decided after the input's end are not
    recorded, as in `Performance`. `input_s` and `latest_s` are in seconds from the start of the input. Note-ons that
    are due at `latest_s` or later are left out. `track_s` is the time at which the file of keys ends, see
    `device.files.midi_run.captured_end`; 0 if the keys were recorded only in part.
    """

    events: Sequence[Event]
    input_s: float
    latest_s: float
    track_s: float = 0.0


class CaptureWriter:
    """Makes the files of a capture in `folder` and writes into them.

    `rate` is the sample rate in Hz; None for a keyboard. `how` holds the settings to store. `memory` is the content of
    the file of phrases; None writes no such file. Only one thread may use this object, and it may wait for the disk.
    The constructor raises UserError if a file cannot be made. The methods raise OSError if the disk refuses.
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
        """Create the files of the capture, each with its header. `memory` is what the left hand knew of the player."""
        rate = self._rate
        if memory is not None:
            self._create(MEMORY).append(memory)
        self._create(HOW).append(json.dumps(asdict(how), indent=1).encode() + b"\n")
        self._actions = self._create(ACTIONS)
        self._actions.append(actions_csv.header().encode())
        # before the sound, so that the losses reach the disk before the sound around them
        self._losses = None if rate is None else self._create(LOSSES)
        if self._losses is not None:
            self._losses.append(losses_csv.header().encode())
        self._sound = None if rate is None else WavWriter(self._create(SOUND), rate)
        self._keys = MidiWriter(self._create(KEYS), "Right hand") if rate is None else None
        self._sent = MidiWriter(self._create(SENT), "Left hand")
        self._notes = self._create(NOTES)
        self._notes.append(notes_csv.header().encode())
        self._beats = self._create(BEATS)
        self._beats.append(f"{','.join(BEAT_COLUMNS)}\n".encode())

    def _create(self, name: str) -> GrowingFile:
        self._files.append(self._folder.create(name))
        return self._files[-1]

    def sound(self, block: NDArray[np.float32]) -> None:
        """Append a block of the input, float32[n], to the sound, and write the messages that are due before the block.

        Before this call, pass all events up to the block's start to `collect`.
        """
        assert self._sound is not None and self._rate is not None
        self.reached(self._sound.samples / self._rate)
        self._sound.append(block)

    def lost(self, losses: Sequence[Loss]) -> None:
        """Record the places at which sound was lost."""
        assert self._losses is not None
        self._losses.append("".join(map(losses_csv.row, losses)).encode())

    def acted(self, actions: Sequence[TimedAction]) -> None:
        """Record actions of the owner."""
        self._actions.append("".join(map(actions_csv.row, actions)).encode())

    def collect(self, events: Sequence[Event]) -> None:
        """Record the heard notes, the ends of notes, the beats and the sent messages among `events`. Ignore the others.

        Rows of notes and beats are written at once. MIDI messages wait until `reached` passes their time.
        """
        for event in events:
            match event:
                case NoteHeard(note):
                    self._heard(note)
                case NoteEnded(pitch, onset_s, offset_s):
                    self._ended(pitch, onset_s, offset_s)
                case Beat(time_s=time_s, position=position, lock=lock):
                    self._beats.append(f"{time_s:.3f},{position},{float(lock):.3f}\n".encode())
                case Send():
                    self._sent.put([event])

    def reached(self, now_s: float) -> None:
        """Write the MIDI messages that no later event can precede. All events up to `now_s` must have come.

        `now_s` is in seconds from the start of the input. A message of the left hand is written LAG_S after it is due.
        """
        self._sent.until(now_s - LAG_S)
        if self._keys is not None:
            self._keys.until(now_s)

    def step(self, at_s: float) -> None:
        """Write everything to the disk if at least SYNC_S seconds have passed since the last time.

        `at_s` is the present time in seconds, of a clock that does not go back. Raises OSError if the disk refuses.
        """
        if at_s - self._synced_s >= SYNC_S:
            self._synced_s = at_s
            self._sync()

    def end(self, ending: InputEnd | None) -> None:
        """Write all that waits, finish all files and close them.

        With `ending`, the events after the input's end are recorded first. Without it the recording ends with what has
        come. Raises OSError if the disk refuses; the files are closed even then.
        """
        try:
            if ending is not None:
                self.collect([event for event in ending.events if not _is_late(event, ending.input_s)])
            self._sent.end(None if ending is None else ending.latest_s)
            if self._keys is not None:
                self._keys.end(track_s=0.0 if ending is None else ending.track_s)
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
    """Return the MIDI messages of a keyboard's `note`: its note-on, then its note-off if the note has ended."""
    messages = [Send(note.onset_s, note.onset_s, "note_on", note.pitch, note.velocity)]
    if note.offset_s is not None:
        messages.append(Send(note.offset_s, note.offset_s, "note_off", note.pitch, 0))
    return messages
