"""The bank of left-hand figures: excerpts of eight bars from true left hands, without their pitches."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter

FILE = Path(__file__).with_name("figures.npz")
GROUPS = ((8, 4), (12, 4), (16, 4), (12, 6))
"""(steps in a bar, steps in a beat) of the metres that have figures of their own: 2/4, 3/4, 4/4, 6/8 and their like."""
MANNER_UNIT = 16.0
"""Steps of the stored manners in a unit of spread."""
CONTEXT_LIMIT = 3.0
"""A right hand further from the mean than so many spreads counts as this far."""
OTHER_TONE = 4
"""The degree of a note that is no tone of its chord."""

Floats = npt.NDArray[np.float64]


class FigureNote(NamedTuple):
    """One key of a figure: length in steps, height in semitones above the bar's bass, degree of the chord (0 to 4)."""

    position: int
    length: int
    height: int
    degree: int


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Eight bars, each a tuple of notes by position, and the semitones by which each bar's bass lies above `anchor`."""

    bars: tuple[tuple[FigureNote, ...], ...]
    lifts: tuple[int, ...]
    anchor: int


def group_of(meter: Meter) -> int | None:
    """Which of `GROUPS` a metre belongs to; None for one without figures of its own."""
    key = (meter.steps_per_bar, meter.steps_per_beat)
    return GROUPS.index(key) if key in GROUPS else None


class FigureBank:
    """Excerpts by group, and a model of the manner that a left hand has beside a right hand.

    There are two kinds of right hand, a piano's and a song's melody. For each kind the model is linear:
    manner = inputs @ weights + offset + noise @ draw, in units of each number's spread.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """`arrays` as `training.figure_bank.build` writes them."""
        self._notes = arrays["notes"].astype(int)
        self._bar_ends = np.concatenate([[0], np.cumsum(arrays["bar_notes"].astype(int))])
        self._bars = arrays["bars"].astype(int)
        self._lifts, self._anchor = arrays["lifts"].astype(int), arrays["anchor"].astype(int)
        self.piece = arrays["piece"].astype(int)
        """[excerpts] number of the piece that an excerpt is from."""
        self.group = arrays["group"].astype(int)
        """[excerpts] index into `GROUPS`."""
        self.manner = arrays["manner"].astype(np.float64) / MANNER_UNIT
        """[excerpts, manner] in units of spread."""
        self.arrays = arrays
        self._strikes = arrays["strikes"]
        self._middle, self._spread, self._gate = arrays["middle"], arrays["spread"], arrays["gate"]
        self._weights, self._offset, self._noise = arrays["weights"], arrays["offset"], arrays["noise"]

    @property
    def manner_size(self) -> int:
        """Numbers that describe a manner."""
        return int(self.manner.shape[1])

    @classmethod
    def load(cls, path: Path = FILE) -> FigureBank:
        """Read a bank's file."""
        with np.load(path, allow_pickle=False) as data:
            return cls({name: data[name] for name in data.files})

    @property
    def average(self) -> Floats:
        """The context of an average right hand."""
        return np.asarray(self._middle, np.float64)

    def strikes_a_beat(self, manner: Floats) -> float:
        """The strikes a beat of a manner."""
        return float(2.0 ** (self._strikes[0] + self._strikes[1] * manner[0]))

    def expected(self, context: Floats, group: int, draw: Floats) -> tuple[Floats, bool]:
        """The manner, [manner_size], for a right hand's `context`, and whether that is a song's melody.

        `draw`: as many standard normals.
        """
        near = np.clip((context - self._middle) / self._spread, -CONTEXT_LIMIT, CONTEXT_LIMIT)
        metre = np.zeros(len(GROUPS))
        metre[group] = 1.0
        inputs = np.concatenate([near, near**2, metre])
        kind = int(inputs @ self._gate[:-1] + self._gate[-1] > 0)
        manner = inputs @ self._weights[kind] + self._offset[kind] + self._noise[kind] @ draw
        return np.asarray(manner), bool(kind)

    def excerpt(self, number: int) -> Excerpt:
        """One excerpt, ready to be played."""
        bars = []
        for bar in self._bars[number]:
            rows = self._notes[self._bar_ends[bar] : self._bar_ends[bar + 1]]
            bars.append(tuple(FigureNote(*(int(x) for x in row)) for row in rows))
        return Excerpt(tuple(bars), tuple(int(x) for x in self._lifts[number]), int(self._anchor[number]))


@cache
def shipped_bank() -> FigureBank:
    """The bank of the package, read once."""
    return FigureBank.load()
