"""Counts the tables of `device.following.rhythm`: the positions of right-hand onsets in the bar.

The right hands of the training pieces are counted on the steps of their bars, separately for each metre.
`device.following.rhythm` explains the tables.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import numpy.typing as npt

import device.following.rhythm
from device.clock.meter import Meter
from device.errors import UserError
from device.following.rhythm import (
    FRESH_CLASSES,
    INTERVAL_CLASSES,
    NEXT_CLASSES,
    PREVIOUS_CLASSES,
    RECENT,
    SIZE_CLASSES,
    chord_class,
    interval_class,
    next_class,
    previous_class,
)
from training.accompanist.data import grid_of
from training.corpora.pieces import CORPORA, HandLabel, Piece, load_pieces
from training.options import CACHE

TABLES = Path(device.following.rhythm.__file__).with_name("rhythm.npz")
"""File from which the clock reads its tables."""

METERS = ((2, 4), (3, 4), (4, 4), (6, 8))
SMOOTHING = 2.0
"""Number of invented onsets that are added to every row of counts, so that rare cases get a probability too.

They are distributed like the sum of the row over all positions.
"""
OFF_GRID_STEPS = 0.2
"""Distance from the nearest step, in steps. An onset further away is an ornament or a triplet, and ends a line."""

Counts = npt.NDArray[np.float64]
Sounded = tuple[int, int, int, int, int]
"""An onset: number of its step in the piece, position in the bar, top pitch, size class, chord class.

See `device.following.rhythm` for the classes. They count the keys of the onset and its new pitch classes.
"""


def lines(piece: Piece, meter: Meter) -> Iterator[list[Sounded]]:
    """Yield the lines of a piece. A line is a run of right-hand onsets that are all in `meter` and near a grid step.

    A line is a list of `Sounded`. If several onsets have the same nearest step, only the highest is kept.
    """
    steps, quarters = grid_of(piece)
    right = piece.of(HandLabel.RIGHT)
    if not len(right) or not len(quarters):
        return
    onsets, first = np.unique(right["onset"], return_index=True)
    last = np.append(first[1:], len(right))
    line: list[Sounded] = []
    recent: deque[set[int]] = deque(maxlen=RECENT)
    for onset, low, high in zip(onsets, first, last, strict=True):
        pitches = right["pitch"][low:high].astype(int)
        classes = set(pitches % 12)
        chord = chord_class(high - low, len(classes.difference(*recent)))
        recent.append(classes)
        nearest = int(np.argmin(np.abs(quarters - onset)))
        step = steps[nearest]
        off = abs(float(quarters[nearest]) - float(onset)) / float(step.meter.step_quarters)
        if step.meter != meter or off > OFF_GRID_STEPS:
            if line:
                yield line
            line = []
            continue
        note = (nearest, step.position, int(pitches.max()), chord // FRESH_CLASSES, chord)
        if line and line[-1][0] == nearest:
            line[-1] = max(line[-1], note)
        else:
            line.append(note)
    if line:
        yield line


class RhythmCounts(NamedTuple):
    """Counts of right-hand onsets, in the shapes of the tables of `device.following.rhythm.Rhythm`."""

    onset: Counts
    following: Counts
    """The table `next`."""
    interval: Counts
    chord: Counts


def count(pieces: list[Piece], meter: Meter) -> RhythmCounts:
    """Count the right-hand onsets of `pieces` in bars of `meter`."""
    size = meter.steps_per_bar
    onset = np.zeros(size)
    following = np.zeros((size, PREVIOUS_CLASSES, NEXT_CLASSES))
    interval = np.zeros((size, PREVIOUS_CLASSES, INTERVAL_CLASSES, INTERVAL_CLASSES))
    chord = np.zeros((size, PREVIOUS_CLASSES, SIZE_CLASSES, SIZE_CLASSES * FRESH_CLASSES))
    for piece in pieces:
        for line in lines(piece, meter):
            step, position, pitch, keys, chords = (np.array(column) for column in zip(*line, strict=True))
            np.add.at(onset, position, 1)
            gap = np.diff(step)
            moved = np.array([interval_class(int(d)) for d in np.diff(pitch)], np.int64)
            np.add.at(following, (position[1:-1], previous_class(gap[:-1]), next_class(gap[1:])), 1)
            np.add.at(interval, (position[2:], previous_class(gap[1:]), moved[:-1], moved[1:]), 1)
            np.add.at(chord, (position[1:], previous_class(gap), keys[:-1], chords[1:]), 1)
    return RhythmCounts(onset, following, interval, chord)


def tables(counts: RhythmCounts) -> dict[str, npt.NDArray[np.float32]]:
    """Turn counts into probabilities. Returns them by name, as float32 of the same shapes.

    `interval` is a ratio to a uniform guess. `chord` gives how much more probable a kind of chord is at one position of
    the bar than at any position.
    """
    onset, following, interval, chord = (_smoothed(table) for table in counts)
    anywhere = counts.chord.sum(axis=(0, 1)) + 1.0
    return {
        "onset": onset.astype(np.float32),
        "next": following.astype(np.float32),
        "interval": (interval * INTERVAL_CLASSES).astype(np.float32),
        "chord": (chord / (anywhere / anywhere.sum(axis=-1, keepdims=True))).astype(np.float32),
    }


def _smoothed(counted: Counts) -> Counts:
    """Turn each row of counts (the last axis) into probabilities, after `SMOOTHING` onsets were added to it."""
    if counted.ndim == 1:
        return np.asarray((counted + SMOOTHING) / (counted + SMOOTHING).sum())
    together = counted.sum(axis=0, keepdims=True) + 1.0
    begun = counted + SMOOTHING * together / together.sum(axis=-1, keepdims=True)
    return np.asarray(begun / begun.sum(axis=-1, keepdims=True))


@click.command()
@CACHE
@click.option(
    "--out", type=click.Path(path_type=Path), default=TABLES, show_default=True, help="File of tables to write."
)
def rhythm(cache: Path, out: Path) -> None:
    """Count the clock's rhythm tables from the training pieces."""
    pieces = [piece for corpus in CORPORA for piece in load_pieces(cache, corpus, "train") if piece.primary]
    if not pieces:
        raise UserError(f"No pieces in {cache / 'pieces'}: run `python -m training prepare` first.")
    written: dict[str, Any] = {}
    for beats, kind in METERS:
        counts = count(pieces, Meter(beats, kind))
        click.echo(f"{beats}/{kind}: {int(counts.onset.sum())} onsets")
        written |= {f"{beats}_{kind}_{name}": table for name, table in tables(counts).items()}
    np.savez_compressed(out, **written)
