"""Measures whether a left hand accompanies a phrase better when the phrase comes again.

A left hand that remembers the chords that it recognised afterwards has more right chords the second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from training.playing_figures.panel import Roll
from training.playing_figures.strikes import chords_by_beat

PHRASE_BARS = 2
"""Bars that must be the same, in pitch and rhythm, to count as a phrase that comes again."""
FEWEST_STRIKES = 3
"""Two bars with fewer steps that the right hand strikes are no phrase: long notes and rests are alike everywhere."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Again:
    """Counts the right chords of a left hand in phrases that come again.

    `first` and `second` are the numbers of right chords the first and the second time. `beats` is the number of beats
    that are compared: those on which the left hand sounds both times.
    """

    beats: int
    first: int
    second: int


def repeats(right: Roll, positions: Ints, bar: int) -> list[tuple[int, int]]:
    """Return (first step, first step of the repetition) of the two-bar phrases of the right hand that come again.

    Both have the same strikes at the same steps, exactly. Each bar is part of at most one repetition, and each
    repetition belongs to the phrase's first occurrence. `positions` [T] are steps in the bar, `bar` is the steps a bar.
    """
    lines = [int(step) for step in np.flatnonzero(positions == 0)]
    seen: dict[bytes, int] = {}
    found: list[tuple[int, int]] = []
    free_from = 0
    for i in range(len(lines) - PHRASE_BARS):
        begin, end = lines[i], lines[i] + PHRASE_BARS * bar
        phrase = right.struck[begin:end]
        whole = all(b - a == bar for a, b in pairwise(lines[i : i + PHRASE_BARS + 1]))
        if not whole or phrase.any(axis=1).sum() < FEWEST_STRIKES:
            continue
        key = phrase.tobytes()
        before = seen.setdefault(key, begin)
        if before + PHRASE_BARS * bar <= begin and begin >= free_from:
            found.append((before, begin))
            free_from = end
    return found


def phrases_again(right: Roll, hand: Roll, true: Roll, positions: Ints, bar: int) -> Again:
    """Count the right chords of `hand` in the phrases of the right hand that come again, both times.

    A chord is right if it is the triad of both true hands in the half bar, as in `training.playing_figures.strikes`. A
    beat counts only if the hand sounds on it both times, so that the silence in which the device listens first is no
    mistake of the first time.
    """
    beats = chords_by_beat(right, hand, true, positions, bar)
    hit = dict(zip(beats.starts.tolist(), beats.right.tolist(), strict=True))
    pairs = [
        (hit[first + i], hit[second + i])
        for first, second in repeats(right, positions, bar)
        for i in range(PHRASE_BARS * bar)
        if first + i in hit and second + i in hit
    ]
    return Again(len(pairs), sum(a for a, _ in pairs), sum(b for _, b in pairs))
