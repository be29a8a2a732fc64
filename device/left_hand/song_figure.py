"""Draws figures for songs in 4/4 from statistics of rhythm, height, number of keys and length.

No bar of a song is stored. The tables hold only rhythms that many songs share, and how often they come.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from device.left_hand.figure_bank import Excerpt, FigureNote

Floats = npt.NDArray[np.float64]

BAR_STEPS, HALF_STEPS = 16, 8
FIGURE_BARS = 8
"""Bars of a figure. They share the figure's rhythm and heights, and few have exactly the rhythm of four bars before."""
HEIGHTS = (0, 4, 7, 9, 12, 16, 19, 24)
"""Heights that a note may have, in semitones above the bass."""
DEGREES = (0, 1, 2, 2, 0, 1, 2, 0)
"""The degree of the chord at each of `HEIGHTS`."""
PLACES = 5
"""Number of kinds of place in the bar: bar line, middle, another beat, half a beat, and any other."""
RARE = 0.01
"""Added to the count of a rhythm, so that a rhythm that was never seen has a logarithm."""
ALIKE = 9.0
"""Natural logarithm of how much more often a bar has exactly the rhythm of its phrase."""
DENSITY_PULL = 6.0
"""Cost of a rhythm for each squared natural logarithm of its number of strikes over the wanted number."""
CHANCE = 0.15
"""Probability that a note has another height than at the same place of the bar before."""
HOLD = (0.25, 0.2)
"""Least quantile of the length, of a bass and of another note: a song's chord sounds through its beat."""
FIFTHS = 0.45
"""Share of the bass strikes of several keys in which the second key is a fifth, and not an octave."""
LONGEST = 16
LEAP = 5
"""Semitones, a fourth. The hand moves to another place if the next strike's lowest key is at least so far away."""
MOVES, GAPS = 3, 5
"""Number of kinds of move to the next strike (falls, stays near, rises), and of kinds of gap (1, 2, 3, 4, more steps).
"""


def place_of(position: int) -> int:
    """Return the kind of place, 0 to `PLACES` - 1, of a step of the bar."""
    if position % 8 == 0:
        return position // 8
    return 2 if position % 4 == 0 else 3 if position % 2 == 0 else 4


def move_of(semitones: int) -> int:
    """Return the kind of move, 0 to `MOVES` - 1, if the next strike's lowest key is `semitones` higher: 0 falls.

    The length of a key depends on it: a hand that falls to a new bass lets go of its keys to get there, and a hand that
    rises through a broken chord keeps the lower keys down.
    """
    return 0 if semitones <= -LEAP else 2 if semitones >= LEAP else 1


def gap_of(steps: int) -> int:
    """Return the kind of gap, 0 to `GAPS` - 1, of a number of steps to the next strike."""
    return min(steps, GAPS) - 1


class SongFigures:
    """Draws figures of eight bars for a left hand in a song, at random."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Prepare the tables from the arrays that `training.figure_bank.song_statistics` writes."""
        self._struck = (np.arange(2**HALF_STEPS)[:, None] >> np.arange(HALF_STEPS) & 1).astype(float)
        self._log_count = np.log(arrays["song_count"].astype(float) + RARE)
        """[2, 256] how often a half bar, the first or the second, has each rhythm: bit n for a strike on step n."""
        self._height = _added_up(arrays["song_height"].astype(float)).tolist()
        """[PLACES, HEIGHTS + 1, HEIGHTS] probability of a height, given the one before (the last: none), added up."""
        self._keys = _added_up(arrays["song_keys"].astype(float)).tolist()
        """[PLACES, 3] probability of one, two or three keys, added up."""
        self._ratio = arrays["song_ratio"].astype(float)
        """[2, MOVES, GAPS, deciles] length over the gap to the next strike, of a bass and of another note."""
        self._anchor = arrays["song_anchor"].astype(float)
        """Mean and standard deviation of the median bass over songs."""
        self._number = self._struck.sum(axis=1)

    def draw(self, rng: np.random.Generator, strikes_a_beat: float, anchor_draw: float) -> Excerpt:
        """Draw a figure of eight bars with the random generator `rng`, and return it.

        A beat has about `strikes_a_beat` strikes. `anchor_draw`, a standard normal number, decides how high the bass
        lies.
        """
        wanted = np.log((self._number + 0.5) / (2 * strikes_a_beat + 0.5))
        score = self._log_count - DENSITY_PULL * wanted**2
        alike = [self._alike(_choice(rng, score[half])) for half in (0, 1)]
        plan = rng.random(BAR_STEPS)
        keys = [_drawn(rng, self._keys[place_of(p)]) + 1 for p in range(BAR_STEPS)]
        quantile = rng.random(BAR_STEPS)
        drawn = []
        for _ in range(FIGURE_BARS):
            halves = [_choice(rng, self._log_count[half] + ALIKE * alike[half]) for half in (0, 1)]
            struck = np.flatnonzero(np.concatenate([self._struck[half] for half in halves]))
            other = rng.random(BAR_STEPS)
            changed = rng.random(BAR_STEPS) < CHANCE
            drawn.append(self._contour(struck.tolist(), np.where(changed, other, plan)))
        following = [*drawn[1:], drawn[0]]
        bars = [self._bar(*pair, keys, quantile) for pair in zip(drawn, following, strict=True)]
        anchor = round(float(self._anchor[0] + self._anchor[1] * anchor_draw))
        return Excerpt(tuple(bars), (0,) * FIGURE_BARS, anchor)

    def _alike(self, rhythm: int) -> Floats:
        """Return how alike each rhythm [256] is to the rhythm `rhythm`, from 0 to 1: Dice's coefficient.

        It is twice the number of strikes of both, over the numbers of strikes of each. A table for all of them would
        take half a megabyte.
        """
        both = self._struck @ self._struck[rhythm]
        return np.asarray(2 * both / np.maximum(self._number + self._number[rhythm], 1))

    def _contour(self, struck: list[int], rank: Floats) -> list[tuple[int, int]]:
        """Return the steps `struck` of a bar, each with the index in `HEIGHTS` of its height.

        `rank` [BAR_STEPS] are uniform random numbers from 0 to 1. Two bars of the same `rank` and rhythm have the same
        heights. A height depends on that of the strike before, as in the tables.
        """
        before, found = len(HEIGHTS), []
        for position in struck:
            before = bisect_right(self._height[place_of(position)][before], rank[position])
            found.append((position, before))
        return found

    def _bar(
        self, strikes: list[tuple[int, int]], following: list[tuple[int, int]], keys: list[int], quantile: Floats
    ) -> tuple[FigureNote, ...]:
        """Return the notes of a bar. `strikes` are its positions and heights, `following` those of the next bar."""
        notes = []
        end = [(BAR_STEPS + position, index) for position, index in following[:1]] or [(BAR_STEPS, 0)]
        for (position, index), (until, other) in pairwise([*strikes, *end]):
            low = 0 if HEIGHTS[index] == 0 else 1
            rank = max(quantile[position], HOLD[low])
            ratios = self._ratio[low, move_of(HEIGHTS[other] - HEIGHTS[index]), gap_of(until - position)]
            length = min(max(round(ratios[int(rank * len(ratios))] * (until - position)), 1), LONGEST)
            # further keys are an octave above a bass, and next to another note
            fifth = quantile[position] < FIFTHS
            others = ((2, 4) if fifth else (4, 6)) if low == 0 else (index + 1, index - 1)
            for i in [index, *others][: keys[position]]:
                if 0 < i < len(HEIGHTS) or i == index:
                    notes.append(FigureNote(position, length, HEIGHTS[i], DEGREES[i]))
        return tuple(sorted(set(notes)))


def _choice(rng: np.random.Generator, score: Floats) -> int:
    """Draw an index. Its probability is in proportion to e to the power of its `score`."""
    share = np.exp(score - score.max())
    return int(_added_up(share / share.sum()).searchsorted(rng.random(), side="right"))


def _added_up(share: Floats) -> Floats:
    """Return the running sums of the probabilities `share` [..., n], for `_drawn`. The last is 1, or 0 if all are 0."""
    sums = share.cumsum(-1)
    return np.asarray(sums / np.where(sums[..., -1:] > 0, sums[..., -1:], 1.0))


def _drawn(rng: np.random.Generator, sums: Sequence[float]) -> int:
    """Draw an index by its probability, as `Generator.choice` does, in a fraction of its time. See `_added_up`."""
    return bisect_right(sums, rng.random())
