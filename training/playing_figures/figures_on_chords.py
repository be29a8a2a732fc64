"""Puts the rhythm and the figure (pattern of strikes) of one left hand on the chords of another.

Two rows of the comparison are made in this way: the true figures of other pieces on our chords, and our figures on the
true chords. They show how much of our distance from a pianist comes from the figures, and how much from the chords.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from training.playing_figures.panel import STEPS_PER_QUARTER, TRIADS, Roll, fold
from training.playing_figures.strikes import lengths_of

FIGURE_BARS = 4
"""Length in bars of a figure of a true left hand."""
FEWEST_STRIKES = 2
"""A stretch of bars with fewer steps that are struck than this is not used as a figure."""
HEIGHT_OCTAVES = 12.0
"""Semitones in the unit of the melody's height in the search for a similar figure.

A difference of so many semitones weighs as much as one step of the bar that only one of the two right hands strikes.
"""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_CENTRED = TRIADS - TRIADS.mean(axis=1, keepdims=True)
_THIRDS = (3, 4)


def half_bars(positions: Ints, bar: int) -> Ints:
    """Return the number of the half bar of each step, int [T]. A bar that has no half on a beat counts as one half bar.

    `positions` [T] are steps in the bar, and `bar` is the steps a bar.
    """
    half = bar // 2 if bar % (2 * STEPS_PER_QUARTER) == 0 else bar
    return np.cumsum(positions % half == 0)


def triads_of(sounding: npt.NDArray[np.bool_], positions: Ints, bar: int) -> Ints:
    """Return for each step the index in `TRIADS` of the triad nearest to what sounds in its half bar, int [T].

    `sounding` [T, 128] are the keys that sound. A silent half bar gets the triad of the half bar before it. The index
    is -1 before any sound. `positions` [T] are steps in the bar, and `bar` is the steps a bar.
    """
    classes = fold(sounding).astype(np.float64)
    number = half_bars(positions, bar)
    weight = np.zeros((int(number.max(initial=0)) + 1, 12))
    np.add.at(weight, number, classes)
    triads = np.full(len(weight), -1)
    for i, row in enumerate(weight):
        triads[i] = int(np.argmax(_CENTRED @ row)) if row.any() else (triads[i - 1] if i else -1)
    return np.asarray(triads[number])


def on_chord(key: int, own: int, wanted: int) -> int:
    """Return the MIDI pitch that takes the place of `key` if the triad is `wanted` instead of `own`.

    The key moves with the root, by at most 6 semitones. A third becomes the wanted triad's third. Other tones keep
    their distance from the root. The result lies from 0 to 127.
    """
    moved = key + (wanted % 12 - own % 12 + 5) % 12 - 5
    third = _THIRDS[own < 12]
    if (key - own) % 12 == third:
        moved += _THIRDS[wanted < 12] - third
    return min(max(moved, 0), 127)


def on_chords(hand: Roll, own: Ints, wanted: Ints) -> Roll:
    """Return `hand` in the same rhythm, on the triads `wanted` [T] in place of its `own` triads [T].

    A strike at a step where either triad is -1 is left out.
    """
    moved = (
        (step, on_chord(key, int(own[step]), int(wanted[step])), length)
        for step, key, length in lengths_of(hand)
        if own[step] >= 0 and wanted[step] >= 0
    )
    return roll_from(moved, len(hand.struck))


def roll_from(rows: Iterable[tuple[int, int, int]], steps: int) -> Roll:
    """Return a piano roll of `steps` steps that holds the notes `rows`, each (first step, MIDI pitch, length in steps).

    Notes that begin outside the roll are left out.
    """
    sounding, struck = np.zeros((steps, 128), bool), np.zeros((steps, 128), bool)
    for step, key, length in rows:
        if 0 <= step < steps:
            sounding[step : step + length, key] = True
            struck[step, key] = True
    return Roll(sounding, struck)


@dataclass(frozen=True)
class TrueFigure:
    """Four bars of a true left hand.

    `context` describes the right hand over these bars, see `context_of`. `rows` are notes (step, MIDI pitch, length in
    steps), counted from the first bar line. `triads` [steps] are the true triads as indices in `TRIADS`.
    """

    piece: str
    bar: int
    context: Floats
    rows: list[tuple[int, int, int]]
    triads: Ints


def stretches(positions: Ints, bar: int, every: int = FIGURE_BARS) -> list[int]:
    """Return the first steps of stretches of `FIGURE_BARS` whole bars.

    A stretch begins `every` bar lines after the one before, or later if bars of another length are in the way.
    """
    lines = [int(step) for step in np.flatnonzero(positions == 0)]
    found, i = [], 0
    while i + FIGURE_BARS < len(lines):
        whole = all(b - a == bar for a, b in pairwise(lines[i : i + FIGURE_BARS + 1]))
        if whole:
            found.append(lines[i])
        i += every if whole else 1
    return found


def context_of(right: Roll, begin: int, bar: int) -> Floats:
    """Return numbers that describe four bars of a right hand from step `begin` on, float [bar + 2].

    They are the share of the bars that strike each step, the height of the melody in octaves, and the share of the
    steps in which the melody sounds.
    """
    span = slice(begin, begin + FIGURE_BARS * bar)
    struck = right.struck[span].any(axis=1).reshape(FIGURE_BARS, bar).mean(axis=0)
    top = right.top[span]
    heard = top >= 0
    height = float(top[heard].mean()) if heard.any() else 72.0
    return np.array([*struck, height / HEIGHT_OCTAVES, heard.mean()])


def figures_of(piece: str, right: Roll, true: Roll, positions: Ints, bar: int) -> list[TrueFigure]:
    """Return the figures of a piece's true left hand: four bars each, one from every second bar on.

    A figure with fewer than `FEWEST_STRIKES` struck steps is left out.
    """
    triads = triads_of(right.sounding | true.sounding, positions, bar)
    notes = lengths_of(true)
    found = []
    for begin in stretches(positions, bar, every=2):
        end = begin + FIGURE_BARS * bar
        rows = [(step - begin, key, length) for step, key, length in notes if begin <= step < end]
        if len({step for step, _, _ in rows}) >= FEWEST_STRIKES:
            found.append(TrueFigure(piece, bar, context_of(right, begin, bar), rows, triads[begin:end]))
    return found


def retrieved(
    piece: str, right: Roll, positions: Ints, bar: int, wanted: Ints, library: Sequence[TrueFigure]
) -> Roll | None:
    """Return a left hand made of other pieces' true figures, four bars at a time, on wanted triads.

    `wanted` [T] holds the triad of each step as an index in `TRIADS`, or -1 for no triad and no strike. Each stretch of
    four bars gets the figure in `library` whose own right hand is most like `right` in these bars. `positions` [T] are
    steps in the bar, and `bar` is the steps a bar. Returns None if no other piece than `piece` has bars of the same
    length in `library`.
    """
    others = [figure for figure in library if figure.piece != piece and figure.bar == bar]
    if not others:
        return None
    contexts = np.array([figure.context for figure in others])
    rows: list[tuple[int, int, int]] = []
    for begin in stretches(positions, bar):
        far = ((contexts - context_of(right, begin, bar)) ** 2).sum(axis=1)
        figure = others[int(np.argmin(far))]
        for step, key, length in figure.rows:
            chord = int(wanted[begin + step]) if begin + step < len(wanted) else -1
            if chord >= 0:
                rows.append((begin + step, on_chord(key, int(figure.triads[step]), chord), length))
    return roll_from(rows, len(right.struck))
