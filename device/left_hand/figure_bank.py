"""Reads the bank of left-hand figures: excerpts of eight bars from true left hands, without their pitches."""

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
"""(steps in a bar, steps in a beat) of the metres that have figures of their own: 2/4, 3/4, 4/4 and 6/8."""
TWO, THREE, FOUR, SIX = range(4)
"""Indices in `GROUPS` of 2/4, 3/4, 4/4 and 6/8."""
MANNER_UNIT = 16.0
"""Manners are stored as whole numbers. So many units are one spread (standard deviation)."""
CONTEXT_LIMIT = 3.0
"""Spreads. A number of the right hand that lies further from the mean counts as this far."""
OTHER_TONE = 4
"""Degree of a note that does not belong to its chord."""
MOST_STEPS = 64
"""More grid steps than a bar of `GROUPS` has. With it the number of a bar and a step in it are kept as one number."""
Floats = npt.NDArray[np.float64]


class FigureNote(NamedTuple):
    """Holds one key of a figure: when it is struck, how long it is held, and how high it lies.

    `position` is the grid step in the bar. `length` is in grid steps. `height` is in semitones above the bar's bass.
    `degree` is 0 for the root, 1 for the third, 2 for the fifth, 3 for the seventh, and `OTHER_TONE`.
    """

    position: int
    length: int
    height: int
    degree: int


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Holds the bars of one excerpt from a left hand, without their chords.

    Each bar is a tuple of notes in the order of their positions. `lifts` gives for each bar the semitones from
    `anchor`, a MIDI pitch, up to the bar's bass.
    """

    bars: tuple[tuple[FigureNote, ...], ...]
    lifts: tuple[int, ...]
    anchor: int


@cache
def group_of(meter: Meter) -> int | None:
    """Return the index in `GROUPS` of a metre. Returns None for a metre without figures of its own."""
    key = (meter.steps_per_bar, meter.steps_per_beat)
    return GROUPS.index(key) if key in GROUPS else None


class FigureBank:
    """Holds the excerpts, and a model of the manner of a left hand beside a given right hand.

    A manner is a list of numbers that describe how a left hand plays. There are two kinds of right hand: that of a
    piano piece and the melody of a song. For each kind the model is linear: manner = inputs @ weights + offset + noise
    @ draw. Each number of a manner is divided by its standard deviation over the excerpts.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Build the bank from the arrays that `training.figure_bank.build` writes.

        Raises KeyError if an array is missing.
        """
        self._notes = arrays["notes"]
        self._bar_ends = np.concatenate([[0], np.cumsum(arrays["bar_notes"].astype(int))])
        self._bars = arrays["bars"].astype(int)
        self._lifts, self._anchor = arrays["lifts"].astype(int), arrays["anchor"].astype(int)
        self.piece = arrays["piece"].astype(int)
        """[excerpts] number of the piece from which an excerpt was taken."""
        self.group = arrays["group"].astype(int)
        """[excerpts] index into `GROUPS`."""
        self.manner = arrays["manner"].astype(np.float64) / MANNER_UNIT
        """[excerpts, manner_size] in units of spread."""
        self.arrays = arrays
        self._strikes = arrays["strikes"]
        self.uneven, self.varied = _irregularity(arrays)
        """[excerpts] how irregular an excerpt is, see `_irregularity`."""
        self.rests = arrays["bar_notes"][self._bars] == 0
        """[excerpts, bars] whether nothing is struck in a bar of an excerpt."""
        self._middle, self._spread, self._gate = arrays["middle"], arrays["spread"], arrays["gate"]
        self._weights, self._offset, self._noise = arrays["weights"], arrays["offset"], arrays["noise"]

    @property
    def manner_size(self) -> int:
        """How many numbers describe one manner."""
        return int(self.manner.shape[1])

    @classmethod
    def load(cls, path: Path = FILE) -> FigureBank:
        """Read the bank from the file `path` and return it. Raises OSError if the file cannot be read."""
        with np.load(path, allow_pickle=False) as data:
            return cls({name: data[name] for name in data.files})

    @property
    def average(self) -> Floats:
        """The numbers that describe an average right hand, one for each of `right_hand.CONTEXT_NAMES`."""
        return np.asarray(self._middle, np.float64)

    def strikes_a_beat(self, manner: Floats) -> float:
        """Return how often a left hand of this `manner` [manner_size] strikes in one beat."""
        return float(2.0 ** (self._strikes[0] + self._strikes[1] * manner[0]))

    def expected(self, context: Floats, group: int, draw: Floats) -> tuple[Floats, bool]:
        """Return the manner [manner_size] for a right hand, and whether that right hand is the melody of a song.

        `context` describes the right hand by the numbers of `right_hand.CONTEXT_NAMES`. `group` is the index of the
        metre in `GROUPS`. `draw` [manner_size] holds independent standard normal numbers.
        """
        near = np.clip((context - self._middle) / self._spread, -CONTEXT_LIMIT, CONTEXT_LIMIT)
        metre = np.zeros(len(GROUPS))
        metre[group] = 1.0
        inputs = np.concatenate([near, near**2, metre])
        kind = int(inputs @ self._gate[:-1] + self._gate[-1] > 0)
        manner = inputs @ self._weights[kind] + self._offset[kind] + self._noise[kind] @ draw
        return np.asarray(manner), bool(kind)

    def excerpt(self, number: int) -> Excerpt:
        """Return the bars and notes of an excerpt. `number` is its index in the bank."""
        bars = []
        for bar in self._bars[number]:
            rows = self._notes[self._bar_ends[bar] : self._bar_ends[bar + 1]]
            bars.append(tuple(FigureNote(*(int(x) for x in row)) for row in rows))
        return Excerpt(tuple(bars), tuple(int(x) for x in self._lifts[number]), int(self._anchor[number]))


def _irregularity(arrays: dict[str, npt.NDArray[Any]]) -> tuple[Floats, Floats]:
    """Return two numbers from 0 to 1 for each excerpt, each an array [excerpts].

    The first is the share of strikes that have another number of keys than the strike before in the same bar. The
    second is the number of different bars divided by the number of bars.
    """
    notes, size, bars = (arrays[name].astype(int) for name in ("notes", "bar_notes", "bars"))
    number, bar = len(size), np.repeat(np.arange(len(size)), size)
    places, keys = np.unique(bar * MOST_STEPS + notes[:, 0], return_counts=True)
    strike_bar = places // MOST_STEPS
    same = strike_bar[1:] == strike_bar[:-1]
    pairs = np.bincount(strike_bar[1:][same], minlength=number)[bars].sum(axis=1)
    unlike = np.bincount(strike_bar[1:][same], (keys[1:] != keys[:-1])[same], minlength=number)[bars].sum(axis=1)
    varied = (1 + (np.diff(np.sort(bars, axis=1), axis=1) > 0).sum(axis=1)) / bars.shape[1]
    return unlike / np.maximum(pairs, 1), varied


@cache
def shipped_bank() -> FigureBank:
    """Read the bank of figures from the package and return it. The file is read only once."""
    return FigureBank.load()
