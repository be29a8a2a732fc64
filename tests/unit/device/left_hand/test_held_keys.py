"""Tests for how long the keys of a figure are held."""

from __future__ import annotations

import pytest

from device.left_hand.figure_hand import held_steps
from device.left_hand.figure_player import FigureStrike


@pytest.mark.parametrize(
    ("length", "gap", "song", "held"),
    [
        (3, 4, False, 4),
        (1, 4, False, 2),
        (6, 4, False, 6),
        (4, 4, False, 4),
        (1, 4, True, 2),
        (1, 2, True, 3),
        (1, 1, True, 2),
        (2, 2, True, 3),
        (3, 4, True, 3),
        (4, 4, True, 4),
        (7, 2, True, 7),
    ],
)
def test_keys_are_held_to_the_next_strike_where_a_piece_is_legato_and_for_the_figures_length_in_songs(
    length: int, gap: int, song: bool, held: int
) -> None:
    assert held_steps(length, FigureStrike((), 0, 40, False, song, gap), 0) == held


@pytest.mark.parametrize("position", [6, 14])
def test_a_key_of_a_song_that_ends_at_a_strike_on_the_half_of_the_bar_is_not_held_over_it(position: int) -> None:
    strike = FigureStrike((), 0, 40, False, song=True, gap=2)
    assert held_steps(2, strike, position) == 2
    assert held_steps(2, strike, position - 2) == 3
