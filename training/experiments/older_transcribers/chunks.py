"""Cuts recordings into chunks that overlap, joins chunks again, and checks the labels of their frames."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UserError
from training.hearing_figures.frame_scores import NAMES, Labels
from training.note_scores import Notes

OVERLAP = 0.07
"""Share of a chunk's core by which the chunk extends beyond its core on either side, so that the edges have context."""


@dataclass(frozen=True)
class Chunks:
    """Says how a recording is cut into chunks. Both lengths are in frames.

    A net gives results for the `core` of a chunk. It also reads `side` frames of context before and after the core.
    """

    core: int
    side: int

    @classmethod
    def of_seconds(cls, seconds: float, hop_s: float) -> Chunks:
        """Return chunks with a core of `seconds`, and 7 % of the core on either side.

        `hop_s` is the number of seconds from one frame to the next.
        """
        core = max(1, round(seconds / hop_s))
        # calculated in whole hundredths, because the rounding error of a float could add a frame
        return cls(core, math.ceil(round(100 * OVERLAP) * core / 100))

    @property
    def frames(self) -> int:
        """Return the number of frames of a chunk: its core and the overlap on both sides."""
        return self.core + 2 * self.side

    def count(self, frames: int) -> int:
        """Return the number of chunks, at least 1, that cover a recording of `frames` frames.

        The last chunk may reach beyond the end of the recording.
        """
        return max(1, math.ceil(frames / self.core))

    def cut(self, recording: npt.NDArray[Any], number: int) -> npt.NDArray[Any]:
        """Return chunk `number`, [self.frames, ...], of a recording [frames, ...].

        Frames outside the recording are zero.
        """
        first = number * self.core - self.side
        low, high = max(first, 0), min(first + self.frames, len(recording))
        out = np.zeros((self.frames, *recording.shape[1:]), recording.dtype)
        out[low - first : max(high, low) - first] = recording[low:high]
        return out

    def inside(self, frames: int, number: int) -> npt.NDArray[np.bool_]:
        """Return which frames of chunk `number` lie inside a recording of `frames` frames, bool [self.frames].

        The other frames are padding.
        """
        at = number * self.core - self.side + np.arange(self.frames)
        return (at >= 0) & (at < frames)

    def answers(self, frames: int, number: int) -> npt.NDArray[np.bool_]:
        """Return for which frames of chunk `number` the net's result is used, bool [self.frames].

        They are the frames of the core that lie inside a recording of `frames` frames.
        """
        at = np.arange(self.frames)
        return self.inside(frames, number) & (at >= self.side) & (at < self.side + self.core)

    def join(self, chunks: npt.NDArray[Any], frames: int) -> npt.NDArray[Any]:
        """Join the cores of all chunks [chunks, self.frames, ...] of a recording, and return them as [frames, ...]."""
        cores = chunks[:, self.side : self.side + self.core]
        return np.concatenate(list(cores))[:frames]


def check_alike(labels: Iterable[tuple[str, Labels, int]], width: int) -> None:
    """Raise UserError if an array of labels has a wrong shape, type or range.

    `labels` gives for each recording its name, its array, and the number of frames of its spectrogram. `width` is the
    number of columns: one for each piano key, or one for each of the 12 note names.
    """
    for name, array, frames in labels:
        if array.shape != (frames, width):
            raise UserError(f"The labels of {name} are {array.shape}, not {(frames, width)}: process it again.")
        if array.dtype != np.uint8 or (array.size and int(array.max()) > 1):
            raise UserError(f"The labels of {name} are not 0 and 1 in uint8: process it again.")


def fold(notes: Notes) -> Notes:
    """Return the notes moved into the octave from C4, in the order of their onsets.

    Of notes with the same name that begin within 50 ms, only the first is kept.
    """
    table = notes[np.argsort(notes[:, 0], kind="stable")].copy()
    table[:, 2] = 60 + table[:, 2] % NAMES
    last: dict[float, float] = {}
    kept = []
    for i, (onset, _, pitch, _) in enumerate(table):
        if onset - last.get(pitch, -math.inf) >= 0.05:
            kept.append(i)
            last[pitch] = onset
    return table[kept]
