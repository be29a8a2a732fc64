"""Recordings cut into chunks that overlap and put together again, and the label of each of their frames."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UserError
from device.events import KEYS, LOWEST_KEY
from training.note_scores import Notes

OVERLAP = 0.07
"""Share of a chunk's own length that it sees of its neighbours, on either side."""
NAMES = 12
"""Note names: pitch classes from C."""

Labels = npt.NDArray[np.uint8]
"""[frames, 88 keys or 12 names], 1 where the frame's window meets a note."""


@dataclass(frozen=True)
class Chunks:
    """`core` frames that a chunk answers for, and `side` frames of context before and after them."""

    core: int
    side: int

    @classmethod
    def of_seconds(cls, seconds: float, hop_s: float) -> Chunks:
        """Chunks of this many seconds, and 7 % of that on either side."""
        core = max(1, round(seconds / hop_s))
        # as whole hundredths, or the float's error makes a frame more of it
        return cls(core, math.ceil(round(100 * OVERLAP) * core / 100))

    @property
    def frames(self) -> int:
        """Frames of a chunk, sides included."""
        return self.core + 2 * self.side

    def count(self, frames: int) -> int:
        """Chunks of a recording of this many frames."""
        return max(1, math.ceil(frames / self.core))

    def cut(self, recording: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
        """Chunk `number` of [frames, ...]: [self.frames, ...], zeros outside the recording."""
        first = number * self.core - self.side
        low, high = max(first, 0), min(first + self.frames, len(recording))
        out = np.zeros((self.frames, *recording.shape[1:]), recording.dtype)
        out[low - first : max(high, low) - first] = recording[low:high]
        return out

    def inside(self, frames: int, number: int) -> npt.NDArray[np.bool_]:
        """[self.frames], which frames of chunk `number` lie in a recording of `frames`: the rest is padding."""
        at = number * self.core - self.side + np.arange(self.frames)
        return (at >= 0) & (at < frames)

    def answers(self, frames: int, number: int) -> npt.NDArray[np.bool_]:
        """[self.frames], which frames chunk `number` answers for: its core, without padding."""
        at = np.arange(self.frames)
        return self.inside(frames, number) & (at >= self.side) & (at < self.side + self.core)

    def join(self, chunks: npt.NDArray[Any], frames: int) -> npt.NDArray[Any]:
        """[chunks, self.frames, ...] of one recording → [frames, ...]: the cores one behind the other."""
        cores = chunks[:, self.side : self.side + self.core]
        return np.concatenate(list(cores))[:frames]


def frame_labels(notes: Notes, frames: int, hop_s: float, window_s: float, names: bool) -> Labels:
    """A frame is positive where its window, centred on k hops, meets the note."""
    out = np.zeros((frames, NAMES if names else KEYS), np.uint8)
    for onset, offset, pitch, _ in notes:
        first = math.floor((onset - window_s / 2) / hop_s) + 1
        last = math.ceil((offset + window_s / 2) / hop_s) - 1
        column = int(pitch) % NAMES if names else int(pitch) - LOWEST_KEY
        out[max(first, 0) : max(last + 1, 0), column] = 1
    return out


def check_alike(labels: Iterable[tuple[str, Labels, int]], width: int) -> None:
    """UserError where labels (recording, array, frames of its spectrogram) are not of one shape, type and range."""
    for name, array, frames in labels:
        if array.shape != (frames, width):
            raise UserError(f"The labels of {name} are {array.shape}, not {(frames, width)}: process it again.")
        if array.dtype != np.uint8 or (array.size and int(array.max()) > 1):
            raise UserError(f"The labels of {name} are not 0 and 1 in uint8: process it again.")


def fold(notes: Notes) -> Notes:
    """Notes by their names: all in one octave from C4; of those struck together the first stays."""
    table = notes[np.argsort(notes[:, 0], kind="stable")].copy()
    table[:, 2] = 60 + table[:, 2] % NAMES
    last: dict[float, float] = {}
    kept = []
    for i, (onset, _, pitch, _) in enumerate(table):
        if onset - last.get(pitch, -math.inf) >= 0.05:
            kept.append(i)
            last[pitch] = onset
    return table[kept]
