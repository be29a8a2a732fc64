"""Cuts songs into fragments for the diary's nets (see setup.py), and makes batches of them.

A fragment has one vector for each sixteenth, with the notes of both hands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.experiments.music_generation.setup import CLASSES, Entry
from training.experiments.seeds.data import SLOTS, Song, fold, placed

FRAGMENT = 256
"""Number of steps in a fragment."""
EVERY = 32
"""Steps from the start of one fragment to the next: two bars of 16 sixteenths."""

Array = npt.NDArray[Any]


def hands(song: Song) -> Array:
    """Return the keys of both hands that sound at each step, bool [T, 88]."""
    return np.asarray(song.right_sounding | song.left_sounding)


class Fragments:
    """Makes batches of random fragments of songs. The same (seed, step) always gives the same batch."""

    def __init__(self, found: list[Song], entry: Entry, batch: int, seed: int = 1, steps: int = FRAGMENT) -> None:
        self.entry, self.batch, self.seed, self.steps = entry, batch, seed, steps
        self.keys = np.concatenate([hands(song) for song in found])
        self.positions = np.concatenate([song.positions for song in found])
        self.windows: list[tuple[int, int, int]] = []
        begin = 0
        for song in found:
            end = begin + len(song.positions)
            last = max(1, end - begin - steps + 1)
            self.windows += [(begin + first, begin, end) for first in range(0, last, EVERY)]
            begin = end

    def at(self, step: int) -> tuple[dict[str, Array], Array]:
        """Return batch number `step`: the net's inputs by name, and the targets [B, T, width + 1].

        The last column of the targets is the weight of the step: 1 inside the song, 0 outside.
        """
        rng = np.random.default_rng([self.seed, step])
        chosen = np.array([self.windows[i] for i in rng.integers(len(self.windows), size=self.batch)])
        # the input starts one step earlier, so the first target may follow the silence before the song
        rows = chosen[:, :1] + np.arange(-1, self.steps)
        inside = (rows >= chosen[:, 1:2]) & (rows < chosen[:, 2:3])
        rows = np.clip(rows, 0, len(self.positions) - 1)
        keys = (self.keys[rows] & inside[..., None]).astype(np.float32)
        own = keys if self.entry.width != CLASSES else fold(keys)
        if self.entry.shifts:
            shift = rng.integers(CLASSES, size=self.batch)
            own = np.stack([np.roll(row, by, axis=-1) for row, by in zip(own, shift, strict=True)])
        known = fold(keys)[:, 1:] if self.entry.body == "decoder" else own[:, :-1]
        x = inputs(self.entry, known, own[:, 1:], self.positions[rows[:, 1:]], rng)
        return x, np.concatenate([own[:, 1:], inside[:, 1:, None]], axis=-1).astype(np.float32)


def inputs(entry: Entry, known: Array, true: Array, positions: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Return the inputs of the net of `entry` (one experiment of the diary), by name.

    "now" is `known` [B, T, width]: the vectors that the net reads. "time" is the place in the bar, if the entry uses
    it. "allowed" marks the notes that may be drawn: those in `true` [B, T, width], or the pause if a step has none.
    "noise" holds random numbers between 0 and 1, one for each voice. "allowed" and "noise" are there only if the entry
    is conditional.

    `positions` [B, T] are the places in the bar of the steps that are predicted.
    """
    x = {"now": known.astype(np.float32)}
    if entry.time:
        x["time"] = placed(positions).astype(np.float32)
    if entry.conditional:
        x["allowed"] = allowed_of(true)
        x["noise"] = rng.random((*true.shape[:2], entry.voices)).astype(np.float32)
    return x


def allowed_of(true: Array) -> Array:
    """Return a mask of the notes that may be drawn in the fit, float32 [..., width + 1].

    It is 1 for the notes in `true`. At a step without a note it is 1 only for the pause, the last column.
    """
    return np.concatenate([true, ~true.any(axis=-1, keepdims=True)], axis=-1).astype(np.float32)


TIME_WIDTH = SLOTS
"""Width of the input `time`."""
