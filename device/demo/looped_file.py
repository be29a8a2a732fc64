"""Plays a sound file in place of the sound input, in real time, again and again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.files.sound.file import SoundFile
from device.hearing.resample import Hops
from device.inputs.sound_card import QUEUE_S, SILENT
from device.inputs.source import Feed, Loss
from device.ports.port import Port
from device.stream_time import StreamTime

BLOCK = 256
"""Samples that come at once, as many as from a sound card with the usual settings."""
PAUSE_S = 5.0
"""Seconds of silence between two rounds. The left hand has ended by then."""
LONGEST_WAIT_S = 0.1
"""Seconds that one `read` waits, as long as that of a sound card."""


class LoopedFile:
    """Implements `device.inputs.source.Source` with the sound of the file `path`.

    `model_rate` (Hz) and `hop` (samples) are those of the models. `again` is called at the start of each round but the
    first. `keep`, if given, receives each block (float32[n]). As with a sound card, blocks that wait for longer than
    QUEUE_S are lost and count as an xrun. Raises UserError if the file cannot be read.
    """

    def __init__(
        self,
        path: Path,
        model_rate: int,
        hop: int,
        stream_time: StreamTime,
        again: Callable[[], object],
        keep: Callable[[NDArray[np.float32]], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        file = SoundFile(path)
        self.port = Port(path.name, "file", 0)
        self.rate: int | None = file.rate
        self.xruns = 0
        self.input_s = 0.0
        self._rate, self._time, self._again, self._keep = file.rate, stream_time, again, keep
        self._clock, self._sleep = clock, sleep
        self._sound = np.concatenate([file.read(), np.zeros(round(PAUSE_S * file.rate), np.float32)])
        self._hops = Hops(file.rate, model_rate, hop)
        self._blocks = self._endless()
        self._peak = 0.0
        self._due_s = math.inf
        self._losses: list[Loss] = []

    def start(self) -> None:
        """Start the time of the first block: it is due after its own length."""
        self._due_s = self._clock() + BLOCK / self._rate

    def read(self) -> list[Feed]:
        """Wait until the next block is due, and return the hops that it completes.

        The list is empty if the block is not due within LONGEST_WAIT_S or completes no hop.
        """
        wait_s = self._due_s - self._clock()
        if wait_s > 0:
            self._sleep(min(wait_s, LONGEST_WAIT_S))
            if wait_s > LONGEST_WAIT_S:
                return []
        self._lose(self._clock())
        block = next(self._blocks)
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))
        if self._keep is not None:
            self._keep(block)
        hops = self._hops.push(block)
        self.input_s = self._hops.pushed_s
        self._time.arrived(self.input_s, self._due_s)
        self._due_s += BLOCK / self._rate
        return [(hop, now_s, []) for hop, now_s in hops]

    def losses(self) -> list[Loss]:
        """Return the losses before the blocks that were read since the last call."""
        losses, self._losses = self._losses, []
        return losses

    def finish(self) -> list[Feed]:
        """Return the last hops, made of the samples that were not returned yet."""
        return [(hop, now_s, []) for hop, now_s in self._hops.flush()]

    def silence(self) -> list[Feed]:
        """Return the hops that one hop of silence completes after `finish`, with their times."""
        return [(hop, now_s, []) for hop, now_s in self._hops.push(np.zeros(self._hops.hop, np.float32))]

    def level_db(self) -> float | None:
        """Return the highest peak of the sound since the last call, in dBFS, at least -120."""
        peak, self._peak = self._peak, 0.0
        return 20 * math.log10(max(peak, SILENT))

    def close(self) -> None:
        """Do nothing, because nothing is open."""

    def _lose(self, now_s: float) -> None:
        """Drop the blocks that have waited for more than QUEUE_S at `now_s`."""
        late = int((now_s - self._due_s - QUEUE_S) * self._rate / BLOCK)
        if late > 0:
            self.xruns += 1
            missing = sum(len(next(self._blocks)) for _ in range(late))
            self._losses.append(Loss(round(self.input_s * self._rate), missing))
            self._due_s += late * BLOCK / self._rate

    def _endless(self) -> Iterator[NDArray[np.float32]]:
        while True:
            for start in range(0, len(self._sound), BLOCK):
                yield self._sound[start : start + BLOCK]
            self._again()
