"""What a right hand's rhythm tells about the beat: how likely the next onset, and its interval, is where in the bar.

The tables are counted from the top notes of right hands (`python -m training rhythm`). An onset at position k, `n`
steps before the next one, gives two factors:

    P(n | k, previous n) * P(interval to the next | its position, n, previous interval)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.meter import Meter

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEXT_CLASSES = 17
"""1 to 16 steps, and more."""
PREVIOUS_CLASSES = 5
"""1, 2, 3, 4 steps, and more."""
INTERVAL_CLASSES = 5
"""Repeated, step up, step down, leap up, leap down; a step is one or two semitones."""


def next_class(steps: Ints) -> Ints:
    """Class of a distance to the next onset, in steps of at least 1."""
    return np.clip(steps, 1, NEXT_CLASSES) - 1


def previous_class(steps: Ints) -> Ints:
    """Class of the distance from the onset before."""
    return np.clip(steps, 1, PREVIOUS_CLASSES) - 1


def interval_class(semitones: int) -> int:
    """Class of a melodic interval."""
    if semitones == 0:
        return 0
    return (1 if semitones > 0 else 2) + (2 if abs(semitones) > 2 else 0)


@dataclass(frozen=True)
class Rhythm:
    """Probabilities for one metre of S steps a bar.

    `onset` [S]: where onsets fall; `next` [S, previous class, next class]; `interval` [S (of the later onset),
    previous class of the distance between the two, previous interval, interval], relative to a uniform guess.
    """

    onset: Floats
    next: Floats
    interval: Floats


@cache
def rhythm_of(meter: Meter) -> Rhythm:
    """The tables of a metre; one that was not counted takes those of a beat in 4/4, on every beat alike."""
    with np.load(Path(__file__).with_name("rhythm.npz")) as data:
        if meter.listed:
            return Rhythm(*(data[f"{meter.beats}_{meter.beat_type}_{name}"].astype(float) for name in _NAMES))
        counted = Rhythm(*(data[f"4_4_{name}"].astype(float) for name in _NAMES))
    tables = (counted.onset, counted.next, counted.interval)
    beats = [table.reshape(4, 4, *table.shape[1:]).mean(axis=0) for table in tables]
    onset, following, interval = (np.concatenate([beat] * meter.beats_per_bar) for beat in beats)
    return Rhythm(onset / onset.sum(), following, interval)


_NAMES = ("onset", "next", "interval")
