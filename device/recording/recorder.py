"""Writes the sound, the notes and the sent messages of a live run to the disk, in a thread of its own."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import shutil
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.engine import Engine
from device.errors import UserError
from device.events import Event, Note, NoteEnded, NoteHeard, Send
from device.files.midi_file import write_midi
from device.files.notes_csv import write_notes
from device.files.performance import Performance
from device.files.play import end_input
from device.files.sound_file import soundfile_of
from device.hearing.features import Samples
from device.inputs.source import Source
from device.recording.capture import DEFAULT_MB, HOW, KEYS, MEGABYTE, NOTES, SENT, SOUND, CaptureSettings
from device.recording.spool import Spool

QUEUE_BLOCKS = 4096
"""Blocks that wait for the disk at most: 20 s at 48 kHz and 256 samples, the worst pause of a slow card."""
WAIT_S = 0.05
"""Seconds that the thread waits for a block before it checks whether to end."""
KEPT_FREE = 64 * MEGABYTE
"""Bytes of the disk that stay free, because other programs need the disk too."""
EVENT_BYTES = 200
"""Bytes counted for one note or message. This covers the spool and the files at the end."""

log = logging.getLogger("lefthand")


class Recording:
    """Writes at most `most_bytes` into the new or empty folder `folder`, and leaves KEPT_FREE bytes of the disk free.

    `rate` is the sample rate in Hz; None for a keyboard. `hop_s` is the length of a hop in seconds. When there is no
    more room, the recording ends early and stays playable. When the disk fails, the recording also ends early, and
    `close` raises UserError. Raises UserError if the folder cannot be made or already holds a capture, or if
    soundfile is missing.
    """

    def __init__(
        self,
        folder: Path,
        how: CaptureSettings,
        rate: int | None,
        hop_s: float,
        most_bytes: int = DEFAULT_MB * MEGABYTE,
    ) -> None:
        self.folder = folder
        self._rate = rate
        self.performance = Performance("midi" if rate is None else "audio", float("inf"), hop_s)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / HOW).exists():
                raise UserError(f"{folder} holds a capture already: give --record another folder.")
            (folder / HOW).write_text(json.dumps(asdict(how), indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{folder} cannot be written ({error.strerror}): give --record another folder.") from None
        self._room = min(most_bytes, shutil.disk_usage(folder).free - KEPT_FREE)
        self._error: str | None = None
        self._full = False
        self._written = 0
        self._spool = Spool(folder)
        self._waiting: queue.Queue[NDArray[np.float32] | Sequence[Event]] = queue.Queue(QUEUE_BLOCKS)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)
        if rate is not None:
            soundfile_of("live")
        self._thread.start()

    def sound(self, block: NDArray[np.float32]) -> None:
        """Record a block of captured sound, float32[n]. Nothing is recorded if it is full or has failed."""
        if self._keep(block, block.nbytes):
            self._written += len(block)

    def collect(self, events: Sequence[Event]) -> None:
        """Record events of the engine."""
        self._keep(events, EVENT_BYTES * len(events))

    def _keep(self, what: NDArray[np.float32] | Sequence[Event], size: int) -> bool:
        if self._over or not self._fits(size):
            return False
        try:
            self._waiting.put_nowait(what)
        except queue.Full:
            self._fail("the disk is too slow")
            return False
        return True

    @property
    def _over(self) -> bool:
        return self._full or self._error is not None

    def _fits(self, size: int) -> bool:
        self._room -= size
        if self._room < 0 and not self._full:
            self._full = True
            log.info("the recording in %s is full, and ends here; playing goes on", self.folder)
        return not self._full

    def _fail(self, why: str) -> None:
        self._error = why
        log.warning("the recording in %s ends early (%s); playing goes on", self.folder, why)

    def finish(self, engine: Engine, source: Source, now_s: float) -> None:
        """End the input in the same way as the end of a file, so that pending notes are decided. Then write all files.

        `now_s` is the stream time of the last hop in seconds. Raises UserError as `close` does.
        """
        performance = self.performance
        self._gather()
        if self._over:
            performance.input_s = source.input_s if self._rate is None else self._written / self._rate
            performance.close()
            self.close()
            return
        rest = source.finish()
        performance.input_s = source.input_s

        def step(hop: Samples | None, at_s: float, midi: Sequence[NoteHeard | NoteEnded]) -> None:
            performance.collect(engine.step(hop, at_s, midi))

        end_input(engine, performance, rest, source.silence, now_s, step)
        self.close()

    def close(self) -> None:
        """Write all files. Raises UserError if the recording ended early because the disk failed or was too slow."""
        self._gather()
        self._done.set()
        self._thread.join()
        notes = self.performance.notes
        try:
            write_notes(self.folder / NOTES, notes)
            write_midi(self.folder / SENT, self.performance.sends)
            if self._rate is None:
                write_midi(self.folder / KEYS, key_messages(notes))
            for path in [*self.folder.iterdir(), self.folder]:
                _sync(path)
        except OSError as error:
            self._error = self._error or error.strerror
        if self._error is not None:
            raise UserError(f"{self.folder / SOUND} ends early ({self._error}): record to another disk.")

    def _gather(self) -> None:
        """Move all events from the spool on the disk to `performance`. A second call does nothing."""
        while self._waiting.unfinished_tasks and self._thread.is_alive():
            time.sleep(WAIT_S / 10)
        self.performance.collect(self._spool.taken())

    def _write(self) -> None:
        """Write sound to its file and events to the spool. This runs in its own thread, because a disk may be slow."""
        try:
            with contextlib.ExitStack() as stack:
                sound = None if self._rate is None else stack.enter_context(_sound_file(self.folder, self._rate))
                while not (self._done.is_set() and self._waiting.empty()):
                    with contextlib.suppress(queue.Empty):
                        what = self._waiting.get(timeout=WAIT_S)
                        if isinstance(what, np.ndarray):
                            assert sound is not None
                            sound.write(what)
                        else:
                            self._spool.put(what)
                        self._waiting.task_done()
        except Exception as error:  # on a full disk soundfile may also raise AssertionError
            self._fail(str(error) or "the disk takes no more")


def _sound_file(folder: Path, rate: int) -> Any:
    return soundfile_of("live").SoundFile(str(folder / SOUND), "w", rate, 1, subtype="FLOAT", format="WAV")


def key_messages(notes: Iterable[Note]) -> list[Send]:
    """Return the note-on and note-off messages of `notes`, for writing a MIDI file."""
    messages = []
    for note in notes:
        messages.append(Send(note.onset_s, note.onset_s, "note_on", note.pitch, note.velocity))
        if note.offset_s is not None:
            messages.append(Send(note.offset_s, note.offset_s, "note_off", note.pitch, 0))
    return messages


def _sync(path: Path) -> None:
    """Write the file or folder through to the disk before returning."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
