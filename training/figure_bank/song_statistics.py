"""Counts what the left hands of POP909 have in common, for the device's song figures.

The result holds counts and probabilities alone, and no bar of a song.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from device.left_hand.song_figure import BAR_STEPS, GAPS, HEIGHTS, MOVES, PLACES, gap_of, move_of, place_of
from training.figure_bank.corpus import LeftHandExcerpt

FEWEST_SONGS = 8
"""The rhythm of a half bar is kept if it occurs in at least this many songs."""
DECILES = 10
"""Number of lengths that stand for all lengths of a kind: the middle of each tenth."""
HALF = BAR_STEPS // 2
"""Steps in a half bar."""
SMOOTH = 0.5
"""Added to the count of each height, so that none has the probability 0."""
BASS_ABOVE = 2
"""Semitones. A key at most this far above the lowest key of its half bar counts as a bass."""


def song_statistics(songs: list[LeftHandExcerpt]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the tables of `device.left_hand.song_figure.SongFigures`, as arrays by name, from excerpts in 4/4.

    The tables are: how often each rhythm of a half bar occurs, probabilities of the height of a strike and of its
    number of keys, deciles of a key's length over the gap to the next strike for each kind of move to that strike, and
    the mean and the spread of a song's lowest keys.
    """
    ratios: dict[tuple[int, int, int], list[float]] = defaultdict(list)
    anchors: dict[str, list[int]] = defaultdict(list)
    for excerpt in songs:
        anchors[excerpt.piece].append(excerpt.anchor)
        _add_ratios(excerpt, ratios)
    height, keys = _heights_and_keys(songs)
    middle = (np.arange(DECILES) + 0.5) / DECILES
    anchor = np.array([np.median(values) for values in anchors.values()])
    return {
        "song_count": _rhythms(songs).astype(np.uint16),
        "song_height": height / height.sum(axis=2, keepdims=True),
        "song_keys": keys / keys.sum(axis=1, keepdims=True),
        "song_ratio": np.array(
            [
                [[np.quantile(ratios[low, move, gap], middle) for gap in range(GAPS)] for move in range(MOVES)]
                for low in (0, 1)
            ]
        ),
        "song_anchor": np.array([anchor.mean(), anchor.std()]),
    }


def _rhythms(songs: list[LeftHandExcerpt]) -> npt.NDArray[np.float64]:
    """Return how often each rhythm occurs in the first and in the second half of a bar, [2, 2 ** HALF].

    A rhythm is a number with a bit for each step that has a strike. Those of few songs have 0.
    """
    count = np.zeros((2, 1 << HALF))
    seen: dict[tuple[int, int], set[str]] = defaultdict(set)
    for excerpt in songs:
        for struck in (np.unique(bar[:, 0]) for bar in excerpt.bars):
            for half in (0, 1) if len(struck) else ():
                rhythm = (half, int((1 << (struck[struck // HALF == half] % HALF)).sum()))
                count[rhythm] += 1
                seen[rhythm].add(excerpt.piece)
    for rhythm, pieces in seen.items():
        if len(pieces) < FEWEST_SONGS:
            count[rhythm] = 0
    return count


def _heights_and_keys(songs: list[LeftHandExcerpt]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return how often each height follows each height of the strike before, and how often a strike has 1, 2, 3 keys.

    The shapes are [PLACES, heights before, heights] and [PLACES, 3]. The last height before stands for none.
    """
    height = np.full((PLACES, len(HEIGHTS) + 1, len(HEIGHTS)), SMOOTH)
    keys = np.ones((PLACES, 3))
    for bar in (bar for excerpt in songs for bar in excerpt.bars):
        before = len(HEIGHTS)
        for position in np.unique(bar[:, 0]):
            here = bar[bar[:, 0] == position]
            # a height counts from the lowest key of its half bar, as the chord may change there
            same_half = bar[bar[:, 0] // HALF == position // HALF]
            above = int(here[:, 2].min() - same_half[:, 2].min())
            index = int(np.argmin([abs(above - h) for h in HEIGHTS]))
            height[place_of(int(position)), before, index] += 1
            keys[place_of(int(position)), min(len(here), 3) - 1] += 1
            before = index
    return height, keys


def _add_ratios(excerpt: LeftHandExcerpt, ratios: dict[tuple[int, int, int], list[float]]) -> None:
    """Add the lengths of the lowest keys of an excerpt's strikes, over the gaps to the next strikes, to `ratios`.

    The keys of `ratios` are: 0 for the lowest key of its half bar and 1 for another, the kind of move to the next
    strike's lowest key, and the kind of gap.
    """
    strikes: list[tuple[int, int, int, int]] = []
    for number, (bar, lift) in enumerate(zip(excerpt.bars, excerpt.lifts, strict=True)):
        for position in np.unique(bar[:, 0]):
            here = bar[bar[:, 0] == position]
            same_half = bar[bar[:, 0] // HALF == position // HALF]
            lowest = here[np.argmin(here[:, 2])]
            above = int(lowest[2] - same_half[:, 2].min() > BASS_ABOVE)
            strikes.append((number * BAR_STEPS + int(position), int(lowest[2] + lift), int(lowest[1]), above))
    for (first, low, length, above), (following, other, _, _) in pairwise(strikes):
        gap = following - first
        ratios[above, move_of(other - low), gap_of(gap)].append(length / gap)
