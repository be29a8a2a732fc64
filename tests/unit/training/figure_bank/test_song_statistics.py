"""The tables of song figures are counted as the device reads them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from device.left_hand.figure_bank import GROUPS
from device.left_hand.song_figure import GAPS, MOVES, move_of
from training.figure_bank.corpus import CONTEXT_SIZE, FIGURE_SIZE, LeftHandExcerpt
from training.figure_bank.song_statistics import song_statistics

BEFORE = {0: 1, 1: 2, 2: 6}
"""Length in steps of the keys of this test, by the kind of move to the next strike: a fall, a near one, a rise."""


def excerpts(number: int, bars: int = 8) -> list[LeftHandExcerpt]:
    """Return excerpts with random rhythms and heights, whose lengths follow from the moves."""
    rng = np.random.default_rng(2)
    found = []
    for name in range(number):
        at = np.flatnonzero(rng.random(16 * bars) < rng.choice([0.1, 0.3, 0.7]))
        low = rng.choice([0, 2, 12, 24], len(at))
        lengths = [BEFORE[move_of(b - a)] for a, b in pairwise(low)] + [1]
        rows = np.column_stack([at % 16, lengths, low, np.zeros_like(at)])
        cut = [rows[at // 16 == bar] for bar in range(bars)]
        nothing = np.zeros(bars, np.int64)
        numbers = np.zeros(FIGURE_SIZE), np.zeros(CONTEXT_SIZE)
        found.append(LeftHandExcerpt(str(name), GROUPS.index((16, 4)), cut, nothing, 40, *numbers))
    return found


def test_lengths_are_counted_by_the_move_and_the_gap_to_the_next_strike_also_over_the_bar_line() -> None:
    ratio = np.asarray(song_statistics(excerpts(60))["song_ratio"])
    assert ratio.shape[:3] == (2, MOVES, GAPS)
    for move, length in BEFORE.items():
        for gap in range(1, GAPS):
            np.testing.assert_allclose(ratio[:, move, gap - 1], length / gap)
        assert (ratio[:, move, GAPS - 1] <= length / GAPS).all(), "a gap of five steps or more"
