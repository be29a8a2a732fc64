"""What a live run captured, heard and sent, kept in a folder so that `lefthand play` gives the same again."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from device.engine import Engine
from device.errors import UserError, missing_extra
from device.midifile import write_midi
from device.notes_csv import write_notes
from device.performance import Performance
from device.play import LONGEST_TAIL_S
from device.source import Source
from device.types import Event, Note, Send

SOUND, KEYS, NOTES, SENT, HOW = "capture.wav", "capture.mid", "notes.csv", "sent.mid", "capture.json"
QUEUE_BLOCKS = 4096
"""Blocks wait at most this many for the disk: 20 s at 48 kHz and 256 samples, a slow card's worst pause."""
WAIT_S = 0.05


@dataclass(frozen=True)
class How:
    """How a run was set, which `play` has to know to do the same again."""

    clock: Literal["follow", "fixed"]
    tempo: float | None
    meter: str
    count_in: int | None
    bundle: str
    """The folder of the models, "" for those that came with lefthand."""
    hears_itself: bool


def how_captured(path: Path) -> How | None:
    """How the run was set that captured the sound or keys in `path`; None for a file that is no capture.

    Raises UserError where that can no longer be read.
    """
    beside = path.parent / HOW
    if path.name not in (SOUND, KEYS) or not beside.exists():
        return None
    try:
        return How(**json.loads(beside.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{beside} cannot be read ({error}): move {path.name} elsewhere to play it alone.") from None


class Recording:
    """Writes into the new or empty folder `folder`.

    `rate` (Hz) is that of the sound, None for a keyboard; `hop_s` the length of a hop. Raises UserError
    where the folder cannot be made or holds a capture already, and where soundfile is missing.
    """

    def __init__(self, folder: Path, how: How, rate: int | None, hop_s: float) -> None:
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
        self._error: str | None = None
        self._blocks: queue.Queue[NDArray[np.float32]] = queue.Queue(QUEUE_BLOCKS)
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        if rate is not None:
            self._thread = threading.Thread(target=self._write_sound, args=(rate,), name="recording", daemon=True)
            _soundfile()
            self._thread.start()

    def sound(self, block: NDArray[np.float32]) -> None:
        """Keep a block as it was captured, float32[n]; where the disk fails, the rest is not kept."""
        if self._error is None:
            try:
                self._blocks.put_nowait(block)
            except queue.Full:
                self._error = "the disk is too slow"

    def collect(self, events: Iterable[Event]) -> None:
        """Keep what the engine told."""
        self.performance.collect(events)

    def finish(self, engine: Engine, source: Source, now_s: float) -> None:
        """End the input as the end of a file would, which decides what was pending; then write everything.

        `now_s` is the time of the last hop so far.
        """
        performance = self.performance
        rest = source.finish()
        performance.input_s = source.input_s
        for hop, now_s, midi in rest:
            performance.collect(engine.step(hop, now_s, midi))
        until_s = source.input_s + min(LONGEST_TAIL_S, performance.two_bars_s)
        while engine.hearing is not None and engine.hearing.pending and now_s < until_s:
            for hop, now_s, midi in source.silence():
                performance.collect(engine.step(hop, now_s, midi))
        performance.collect(engine.finish(now_s))
        performance.close()
        self.close()

    def close(self) -> None:
        """Write what there is. Raises UserError where the sound could not be kept to its end."""
        if self._thread is not None:
            self._done.set()
            self._thread.join()
        notes = self.performance.notes
        write_notes(self.folder / NOTES, notes)
        write_midi(self.folder / SENT, self.performance.sends)
        if self._rate is None:
            write_midi(self.folder / KEYS, key_messages(notes))
        if self._error is not None:
            raise UserError(f"{self.folder / SOUND} ends early ({self._error}): record to another disk.")

    def _write_sound(self, rate: int) -> None:
        sf = _soundfile()
        try:
            with sf.SoundFile(str(self.folder / SOUND), "w", rate, 1, subtype="FLOAT", format="WAV") as file:
                while not (self._done.is_set() and self._blocks.empty()):
                    with contextlib.suppress(queue.Empty):
                        file.write(self._blocks.get(timeout=WAIT_S))
        except (OSError, RuntimeError) as error:
            self._error = str(error)


def key_messages(notes: Iterable[Note]) -> list[Send]:
    """The messages of `notes`, as a MIDI file is written from them."""
    messages = []
    for note in notes:
        messages.append(Send(note.onset_s, note.onset_s, "note_on", note.pitch, note.velocity))
        if note.offset_s is not None:
            messages.append(Send(note.offset_s, note.offset_s, "note_off", note.pitch, 0))
    return messages


def _soundfile() -> Any:
    try:
        import soundfile
    except ImportError:
        raise missing_extra("soundfile", "live") from None
    return soundfile
