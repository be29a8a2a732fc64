"""What a right hand's rhythm tells about the beat: how likely the next onset, and its interval, is where in the bar.

The tables are counted from right hands (`python -m training rhythm`). An onset at position k, `n`
steps before the next one, gives two factors:

    P(n | k, previous n) * P(interval to the next | its position, n, previous interval)

and what sounds at the next a third: chords grow, and new pitch classes come, where a beat or a bar begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEXT_CLASSES = 17
"""1 to 16 steps, and more."""
PREVIOUS_CLASSES = 5
"""1, 2, 3, 4 steps, and more."""
INTERVAL_CLASSES = 5
"""Repeated, step up, step down, leap up, leap down; a step is one or two semitones."""

SIZE_CLASSES = 4
"""A chord of 1, 2, 3 keys, and more."""
FRESH_CLASSES = 3
"""No, one, and more pitch classes that were in none of the last `RECENT` onsets."""
RECENT = 4


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


def chord_class(keys: int, fresh: int) -> int:
    """Class of an onset with so many keys, `fresh` of its pitch classes not heard of late."""
    return (min(keys, SIZE_CLASSES) - 1) * FRESH_CLASSES + min(fresh, FRESH_CLASSES - 1)


@dataclass(frozen=True)
class Rhythm:
    """Probabilities for one metre of S steps a bar.

    `onset` [S]: where onsets fall; `next` [S, previous class, next class]; `interval` [S (of the later onset),
    previous class of the distance between the two, previous interval, interval], relative to a uniform guess; `chord`
    [S, previous class, keys before (less 1), chord class], relative to what comes after so many keys wherever it is.
    """

    onset: Floats
    next: Floats
    interval: Floats
    chord: Floats


@cache
def rhythm_of(meter: Meter) -> Rhythm:
    """The tables of a metre; one that was not counted takes those of a beat in 4/4, on every beat alike."""
    with np.load(Path(__file__).with_name("rhythm.npz")) as data:
        if meter.listed:
            return Rhythm(*(data[f"{meter.beats}_{meter.beat_type}_{name}"].astype(float) for name in _NAMES))
        counted = Rhythm(*(data[f"4_4_{name}"].astype(float) for name in _NAMES))
    tables = (counted.onset, counted.next, counted.interval, counted.chord)
    beats = [table.reshape(4, 4, *table.shape[1:]).mean(axis=0) for table in tables]
    onset, following, interval, chord = (np.concatenate([beat] * meter.beats_per_bar) for beat in beats)
    return Rhythm(onset / onset.sum(), following, interval, chord)


_NAMES = ("onset", "next", "interval", "chord")
