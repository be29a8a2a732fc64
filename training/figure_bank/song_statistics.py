"""Counts what the left hands of POP909 have in common, for the device's song figures.

The result holds counts and probabilities alone, and no bar of a song.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import numpy.typing as npt

from device.left_hand.song_figure import BAR_STEPS, HEIGHTS, PLACES, place_of
from training.figure_bank.corpus import LeftHandExcerpt

FEWEST_SONGS = 8
"""The rhythm of a half bar is kept if it occurs in at least this many songs."""
DECILES = 10
HALF = BAR_STEPS // 2
SMOOTH = 0.5


def song_statistics(songs: list[LeftHandExcerpt]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the tables of `device.left_hand.song_figure.SongFigures`, as arrays by name, from excerpts in 4/4.

    The tables are: how often each rhythm of a half bar occurs, probabilities of the height of a strike and of its
    number of keys, deciles of a key's length over the gap to the next strike, and the mean and the spread of a song's
    lowest keys.
    """
    rhythms: Counter[tuple[int, int]] = Counter()
    seen: dict[tuple[int, int], set[str]] = defaultdict(set)
    height = np.full((PLACES, len(HEIGHTS) + 1, len(HEIGHTS)), SMOOTH)
    keys = np.ones((PLACES, 3))
    ratios: tuple[list[float], list[float]] = ([], [])
    anchors: dict[str, list[int]] = defaultdict(list)
    for excerpt in songs:
        anchors[excerpt.piece].append(excerpt.anchor)
        for bar in excerpt.bars:
            struck = np.unique(bar[:, 0])
            if not len(struck):
                continue
            for half in (0, 1):
                inside = struck[struck // HALF == half] % HALF
                rhythm = (half, int((1 << inside).sum()))
                rhythms[rhythm] += 1
                seen[rhythm].add(excerpt.piece)
            before = len(HEIGHTS)
            for position, following in zip(struck, [*struck[1:], BAR_STEPS], strict=True):
                here = bar[bar[:, 0] == position]
                # a height counts from the lowest key of its half bar, as the chord may change there
                same_half = bar[bar[:, 0] // HALF == position // HALF]
                above = int(here[:, 2].min() - same_half[:, 2].min())
                index = int(np.argmin([abs(above - h) for h in HEIGHTS]))
                height[place_of(int(position)), before, index] += 1
                keys[place_of(int(position)), min(len(here), 3) - 1] += 1
                ratios[0 if index == 0 else 1].append(float(here[0, 1] / (following - position)))
                before = index
    count = np.zeros((2, 1 << HALF))
    for (half, mask), number in rhythms.items():
        if len(seen[half, mask]) >= FEWEST_SONGS:
            count[half, mask] = number
    middle = (np.arange(DECILES) + 0.5) / DECILES
    anchor = np.array([np.median(values) for values in anchors.values()])
    return {
        "song_count": count.astype(np.uint16),
        "song_height": height / height.sum(axis=2, keepdims=True),
        "song_keys": keys / keys.sum(axis=1, keepdims=True),
        "song_ratio": np.array([np.quantile(values, middle) for values in ratios]),
        "song_anchor": np.array([anchor.mean(), anchor.std()]),
    }
