"""Carries the blocks of a sound card from PortAudio's thread to the loop, and wakes the loop when a hop is complete."""

from __future__ import annotations

import queue
import time
from collections import deque
from typing import NamedTuple

from device.hearing.resample import Hops
from device.inputs.rest import Rest


class Block(NamedTuple):
    """A block of the stream.

    `data` holds its float32 samples, those of all channels in turn. It arrived at `arrived_s`, in monotonic seconds.
    `lost` says whether sound was lost just before it, and `missing` how many samples: None if the sound system reported
    the loss, because it does not say how many it lost.
    """

    data: bytes
    arrived_s: float
    lost: bool
    missing: int | None


class BlockQueue:
    """Keeps at most `most` blocks. Only PortAudio's callback calls `put`, and only the loop the other methods.

    `hops` says when a hop is complete. The first `left_out` samples of the stream do not count, because they are not
    heard. `frame_bytes` is the number of bytes of one sample of all channels. While `rest` lets the loop rest, it is
    woken once for several hops.
    """

    def __init__(self, hops: Hops, most: int, frame_bytes: int, left_out: int, rest: Rest) -> None:
        self._hops, self._most, self._frame_bytes, self._rest = hops, most, frame_bytes, rest
        self.xruns = 0
        """Number of losses: the sound system reported lost sound (PortAudio's -9981), or a block was dropped here."""
        self._blocks: deque[Block] = deque()
        self._complete: queue.SimpleQueue[None] = queue.SimpleQueue()
        """One entry for each waiting block that completes a hop."""
        self._dropped, self._reported = 0, False
        """Number of samples that were dropped since the last block that found room, and whether the sound system
        reported a loss since then."""
        self._arrived, self._completed = -left_out, 0
        """Numbers of samples that have arrived, and of hops that they complete."""
        self._next_complete = hops.needed(0)
        """Number of samples that must have arrived for the next hop."""

    def __len__(self) -> int:
        return len(self._blocks)

    def put(self, data: bytes, reported: bool) -> None:
        """Add a block, or count an xrun if there is no room. `reported`: the sound system reports lost sound before it.

        This runs in PortAudio's thread, at each block, so it only counts.
        """
        if reported:
            self.xruns += 1
            self._reported = True
        if len(self._blocks) >= self._most:
            self.xruns += 1
            self._dropped += len(data) // self._frame_bytes
            return
        missing = None if self._reported else self._dropped
        self._blocks.append(Block(data, time.monotonic(), missing != 0, missing))
        self._dropped, self._reported = 0, False
        self._arrived += len(data) // self._frame_bytes
        completes = self._arrived >= self._next_complete
        while self._arrived >= self._next_complete:
            self._completed += 1
            self._next_complete = self._hops.needed(self._completed)
        for _ in range(self._rest.wakings(data, completes)):
            self._complete.put(None)

    def wait(self, seconds: float) -> bool:
        """Wait for the block that completes the next hop. Return False if none came within so many seconds."""
        try:
            self._complete.get(timeout=seconds)
        except queue.Empty:
            return False
        return True

    def take(self) -> Block:
        """Remove the oldest block and return it. There must be one."""
        return self._blocks.popleft()
