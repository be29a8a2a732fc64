"""Records a live run in a thread of its own, so that the audio loop never waits for the disk."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.engine import Engine, TimedAction
from device.errors import UserError
from device.events import Beat, Event, NoteEnded, NoteHeard
from device.files.input_end import end_input
from device.files.performance import BEATS_LOOKED_AT, Kind, Performance
from device.hearing.features import Samples
from device.inputs.source import Loss, Source
from device.recording.capture import DEFAULT_MB, KEYS, MEGABYTE, SOUND, CaptureSettings
from device.recording.capture_writer import CaptureWriter, InputEnd
from device.recording.folder import CaptureFolder

QUEUE_BLOCKS = 4096
"""Blocks that wait for the disk at most: 20 s at 48 kHz and 256 samples, the worst pause of a slow card."""
WAIT_S = 0.05
"""Seconds that the thread waits for a block before it checks whether to write."""
CLOSE_S = 1.0
"""Seconds that `close` waits for the disk. The system stops a service that needs much longer to end."""
KEPT_FREE = 64 * MEGABYTE
"""Bytes of the disk that stay free, because other programs need the disk too."""
EVENT_BYTES = 100
"""Bytes counted for one note or message: its row, and its messages in the MIDI files."""

log = logging.getLogger("lefthand")


class _Tail(Performance):
    """Keeps all events after the input's end, in their order, besides what `Performance` collects."""

    def __init__(self, kind: Kind, input_s: float, hop_s: float, beats: Iterable[Beat]) -> None:
        super().__init__(kind, input_s, hop_s, beats=list(beats))
        self.events: list[Event] = []

    def collect(self, events: Iterable[Event]) -> None:
        come = list(events)
        self.events += come
        super().collect(come)


@dataclass(frozen=True)
class _Acted:
    """Holds actions that wait to be written."""

    actions: Sequence[TimedAction]


_Item: TypeAlias = NDArray[np.float32] | tuple[Sequence[Event], float] | list[Loss] | _Acted | None
"""One entry of the thread's queue: a block; events with the stream time of their hop; losses; actions; or None, which
only wakes the thread."""


class Recording:
    """Writes at most `most_bytes` into the new or empty folder `folder`, and leaves KEPT_FREE bytes of the disk free.

    `rate` is the sample rate in Hz; None for a keyboard. `hop_s` is the length of a hop in seconds. When there is no
    more room, the recording ends early and stays playable. When the disk fails, the recording also ends early, and
    `close` raises UserError. Raises UserError if the folder cannot be used: see `CaptureFolder`.
    """

    def __init__(
        self,
        folder: Path,
        how: CaptureSettings,
        rate: int | None,
        hop_s: float,
        most_bytes: int = DEFAULT_MB * MEGABYTE,
        memory: bytes | None = None,
    ) -> None:
        """Make the files in `folder` and start the thread that writes them.

        `how` holds the settings to store. `memory` is the packed memory of phrases at the beginning of the recording,
        or None.
        """
        self.folder = folder
        self._rate, self._hop_s = rate, hop_s
        self._writer = CaptureWriter(CaptureFolder(folder), how, rate, memory)
        self._room = min(most_bytes, shutil.disk_usage(folder).free - KEPT_FREE)
        self._beats: deque[Beat] = deque(maxlen=BEATS_LOOKED_AT)
        self._error: str | None = None
        self._full = False
        self._now_s = 0.0
        self._kept_s = 0.0
        self._written = 0
        self._waiting: queue.Queue[_Item] = queue.Queue(QUEUE_BLOCKS)
        self._ending: InputEnd | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recording", daemon=True)
        self._thread.start()

    def sound(self, block: NDArray[np.float32]) -> None:
        """Queue a block of captured sound, float32[n], for the thread.

        It is dropped if the recording is full or has failed.
        """
        if self._keep(block, block.nbytes):
            self._written += len(block)

    def lost(self, losses: Sequence[Loss]) -> None:
        """Queue the losses in the blocks of the last call of `sound` for the thread.

        They are dropped if the recording is full or has failed.
        """
        self._keep(list(losses), EVENT_BYTES * len(losses))

    def acted(self, actions: Sequence[TimedAction]) -> None:
        """Queue actions of the owner for the thread. They are dropped if the recording is full or has failed."""
        self._keep(_Acted(actions), EVENT_BYTES * len(actions))

    def collect(self, events: Sequence[Event], now_s: float) -> None:
        """Queue events of the engine for the thread. They are dropped if the recording is full or has failed.

        `now_s` is the time of their hop in seconds from the start of the input.
        """
        if events and self._keep((events, now_s), EVENT_BYTES * len(events)):
            self._beats.extend(event for event in events if isinstance(event, Beat))
        self._now_s = now_s
        if not self.over:
            self._kept_s = now_s

    def _keep(self, item: _Item, size: int) -> bool:
        if self.over or not self._fits(size):
            return False
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self._fail("the disk is too slow")
            return False
        return True

    @property
    def over(self) -> bool:
        """Return whether the recording has ended early, because there is no more room or the disk has failed."""
        return self._full or self._error is not None

    @property
    def kept_s(self) -> float:
        """Return the length of the recorded input in seconds. What a failing disk did not take is counted too."""
        return self._kept_s if self._rate is None else self._written / self._rate

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
        """Close the input `source`, record what `engine` still decides, and end the files.

        As at the end of a file, the engine decides the notes that it has heard only in part and ends the notes that
        still sound. If the recording is full or has failed before, only the files are ended. `now_s` is the time of the
        last hop in seconds. Raises UserError as `close` does.
        """
        if self.over:
            input_s = source.input_s if self._rate is None else self.kept_s
            self.close(_ending_of(self._tail(input_s)))
            return
        rest = source.finish()
        tail = self._tail(source.input_s)

        def step(hop: Samples | None, at_s: float, midi: Sequence[NoteHeard | NoteEnded]) -> None:
            tail.collect(engine.step(hop, at_s, midi))

        end_input(engine, tail, rest, source.silence, now_s, step)
        # one hop later than the last hop, so that it is later than every note
        self.close(dataclasses.replace(_ending_of(tail), track_s=tail.input_s + self._hop_s))

    def _tail(self, input_s: float) -> _Tail:
        return _Tail("midi" if self._rate is None else "audio", input_s, self._hop_s, self._beats)

    def close(self, ending: InputEnd | None = None) -> None:
        """End the files, and wait at most CLOSE_S for the disk. Without `ending` the recording is cut here.

        Raises UserError if the recording ended early because the disk failed or was too slow.
        """
        self._ending = ending
        self._done.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            self._error = self._error or "the disk is too slow"
        if self._error is not None:
            name = KEYS if self._rate is None else SOUND
            raise UserError(f"{self.folder / name} ends early ({self._error}): record to another disk.")

    def _run(self) -> None:
        """Write all blocks and events that come, then end the files. The thread runs this, because a disk may be slow.

        It raises no error: an error ends the recording and goes to the log, and `close` raises it as UserError.
        """
        try:
            self._write()
        except Exception as error:
            self._fail(str(error))
        try:
            self._writer.end(self._ending)
        except Exception as error:
            if self._error is None:
                self._fail(str(error))

    def _write(self) -> None:
        """Write what comes until the recording is done. This is the work of the thread."""
        writer = self._writer
        while not (self._done.is_set() and self._waiting.empty()):
            writer.step(time.monotonic())
            # read before the queue, so that all events up to this time are in the queue
            now_s = self._now_s
            try:
                item = self._waiting.get(timeout=WAIT_S)
            except queue.Empty:
                writer.reached(now_s)
                continue
            if isinstance(item, np.ndarray):
                writer.sound(item)
            elif isinstance(item, list):
                writer.lost(item)
            elif isinstance(item, _Acted):
                writer.acted(item.actions)
            elif item is not None:
                events, now_s = item
                writer.collect(events)
                writer.reached(now_s)


def _ending_of(tail: _Tail) -> InputEnd:
    return InputEnd(tail.events, tail.input_s, tail.input_s + tail.two_bars_s)
