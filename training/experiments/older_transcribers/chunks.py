"""Cuts recordings into chunks that overlap, joins chunks again, and labels each frame."""

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
"""Share of a chunk's core length that it also sees on either side, so that its edges have context."""
NAMES = 12
"""Number of note names: the pitch classes from C."""

Labels = npt.NDArray[np.uint8]
"""[frames, 88 keys or 12 names]: 1 if the frame's window meets a note, else 0."""


@dataclass(frozen=True)
class Chunks:
    """Lengths in frames: the `core` that a chunk gives results for, and the `side` of context before and after it."""

    core: int
    side: int

    @classmethod
    def of_seconds(cls, seconds: float, hop_s: float) -> Chunks:
        """Chunks with a core of this many seconds, and 7 % of it on either side."""
        core = max(1, round(seconds / hop_s))
        # calculated in whole hundredths, because the rounding error of a float could add a frame
        return cls(core, math.ceil(round(100 * OVERLAP) * core / 100))

    @property
    def frames(self) -> int:
        """The number of frames of a chunk: its core and the overlap on both sides."""
        return self.core + 2 * self.side

    def count(self, frames: int) -> int:
        """The number of chunks that cover a recording of this many frames. The last one may be padded."""
        return max(1, math.ceil(frames / self.core))

    def cut(self, recording: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
        """Cut chunk `number` [self.frames, ...] from a recording [frames, ...]. Frames outside it are zero."""
        first = number * self.core - self.side
        low, high = max(first, 0), min(first + self.frames, len(recording))
        out = np.zeros((self.frames, *recording.shape[1:]), recording.dtype)
        out[low - first : max(high, low) - first] = recording[low:high]
        return out

    def inside(self, frames: int, number: int) -> npt.NDArray[np.bool_]:
        """[self.frames]: true for each frame of chunk `number` inside a recording of `frames`. The rest is padding."""
        at = number * self.core - self.side + np.arange(self.frames)
        return (at >= 0) & (at < frames)

    def answers(self, frames: int, number: int) -> npt.NDArray[np.bool_]:
        """[self.frames]: true for each frame that chunk `number` gives a result for: its core, without padding."""
        at = np.arange(self.frames)
        return self.inside(frames, number) & (at >= self.side) & (at < self.side + self.core)

    def join(self, chunks: npt.NDArray[Any], frames: int) -> npt.NDArray[Any]:
        """Join the cores of all chunks [chunks, self.frames, ...] of a recording into [frames, ...]."""
        cores = chunks[:, self.side : self.side + self.core]
        return np.concatenate(list(cores))[:frames]


def frame_labels(notes: Notes, frames: int, hop_s: float, window_s: float, names: bool) -> Labels:
    """Label each frame of a recording with keys, or with note names if `names` is true.

    A label is 1 if the frame's window overlaps the note. The window of frame k is centred k hops after the start.
    """
    out = np.zeros((frames, NAMES if names else KEYS), np.uint8)
    for onset, offset, pitch, _ in notes:
        first = math.floor((onset - window_s / 2) / hop_s) + 1
        last = math.ceil((offset + window_s / 2) / hop_s) - 1
        column = int(pitch) % NAMES if names else int(pitch) - LOWEST_KEY
        out[max(first, 0) : max(last + 1, 0), column] = 1
    return out


def check_alike(labels: Iterable[tuple[str, Labels, int]], width: int) -> None:
    """Raise UserError if labels have a wrong shape, type or range.

    `labels` gives (recording, array, frames of its spectrogram). `width` is the number of keys or names.
    """
    for name, array, frames in labels:
        if array.shape != (frames, width):
            raise UserError(f"The labels of {name} are {array.shape}, not {(frames, width)}: process it again.")
        if array.dtype != np.uint8 or (array.size and int(array.max()) > 1):
            raise UserError(f"The labels of {name} are not 0 and 1 in uint8: process it again.")


def fold(notes: Notes) -> Notes:
    """Move all notes into the octave from C4. Of notes on one name within 50 ms, only the first stays."""
    table = notes[np.argsort(notes[:, 0], kind="stable")].copy()
    table[:, 2] = 60 + table[:, 2] % NAMES
    last: dict[float, float] = {}
    kept = []
    for i, (onset, _, pitch, _) in enumerate(table):
        if onset - last.get(pitch, -math.inf) >= 0.05:
            kept.append(i)
            last[pitch] = onset
    return table[kept]
