"""Gives probabilities of a right hand's rhythm: of the next onset and its interval, by position in the bar.

The tables are counted from right hands (`python -m training rhythm`). An onset at position k, `n` steps before the next
one, gives two factors:

    P(n | k, previous n) * P(interval to the next | its position, n, previous interval)

The keys of the next onset give a third factor: chords get larger and new pitch classes appear where a beat or a bar
begins.
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
"""Number of classes of the distance to the next onset: 1 to 16 grid steps, and more."""
PREVIOUS_CLASSES = 5
"""Number of classes of the distance from the onset before: 1, 2, 3, 4 grid steps, and more."""
INTERVAL_CLASSES = 5
"""Number of classes of melodic intervals: repeated, step up, step down, leap up, leap down.

A step is 1 or 2 semitones here.
"""

SIZE_CLASSES = 4
"""Number of classes of chord sizes: 1, 2, 3 keys, and more."""
FRESH_CLASSES = 3
"""Number of classes of how many pitch classes of an onset are fresh: 0, 1, and more.

A pitch class is fresh if none of the last `RECENT` onsets had it.
"""
RECENT = 4
"""Number of onsets that are remembered to find fresh pitch classes."""


def next_class(steps: Ints) -> Ints:
    """Return the class, from 0, of the distance to the next onset in steps. Below 1 counts as 1.

    The classes are those of `NEXT_CLASSES`.
    """
    return np.clip(steps, 1, NEXT_CLASSES) - 1


def previous_class(steps: Ints) -> Ints:
    """Return the class, from 0, of the distance from the previous onset in steps (see `PREVIOUS_CLASSES`).

    A distance below 1 counts as 1.
    """
    return np.clip(steps, 1, PREVIOUS_CLASSES) - 1


def interval_class(semitones: int) -> int:
    """Return the class, 0 to 4, of a melodic interval in semitones, positive upwards (see `INTERVAL_CLASSES`)."""
    if semitones == 0:
        return 0
    return (1 if semitones > 0 else 2) + (2 if abs(semitones) > 2 else 0)


def chord_class(keys: int, fresh: int) -> int:
    """Return the class, 0 to 11, of a chord of `keys` keys, with `fresh` pitch classes that were not heard recently."""
    return (min(keys, SIZE_CLASSES) - 1) * FRESH_CLASSES + min(fresh, FRESH_CLASSES - 1)


@dataclass(frozen=True)
class Rhythm:
    """Holds the probabilities of a rhythm for one metre with S steps a bar.

    `onset` [S]: probability that an onset has this position.
    `next` [S, previous class, next class]: probability of the distance to the next onset.
    `interval` [S of the later onset, previous class of the distance between the two, previous interval, interval]:
    probability of the interval, relative to a uniform distribution.
    `chord` [S, previous class, keys before minus 1, chord class]: probability of the chord class, relative to its
    probability after as many keys at any position.
    """

    onset: Floats
    next: Floats
    interval: Floats
    chord: Floats


@cache
def rhythm_of(meter: Meter) -> Rhythm:
    """Return the tables of a metre. They are read from `rhythm.npz` and kept.

    A metre that is played as a trained one uses the tables of that one: they are repeated for a longer bar and averaged
    over the parts for a shorter bar. Any other metre uses the mean beat of 6/8 (if its beats are dotted) or of 4/4.
    """
    known = meter.played if meter.played.listed else Meter(6, 8) if meter.compound else Meter(4, 4)
    with np.load(Path(__file__).with_name("rhythm.npz"), allow_pickle=False) as data:
        tables = [data[f"{known.beats}_{known.beat_type}_{name}"].astype(float) for name in _NAMES]
    if meter == known:
        return Rhythm(*tables)
    size = known.steps_per_bar if meter.played.listed else min(known.steps_per_beat, meter.steps_per_beat)
    part = min(size, meter.steps_per_bar)
    parts = [table.reshape(-1, part, *table.shape[1:]).mean(axis=0) for table in tables]
    onset, following, interval, chord = (np.concatenate([table] * (meter.steps_per_bar // part)) for table in parts)
    return Rhythm(onset / onset.sum(), following, interval, chord)


_NAMES = ("onset", "next", "interval", "chord")


def wrapped(apart: Floats, period: float) -> Floats:
    """Return distances of any shape less the nearest multiple of `period`. It changes `apart`, which costs least."""
    whole = apart * (1 / period)
    np.rint(whole, out=whole)
    whole *= period
    apart -= whole
    return apart
