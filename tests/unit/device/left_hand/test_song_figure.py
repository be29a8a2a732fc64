"""Figures of songs: when they are chosen, how the hand moves through a bar, and for how long it holds its keys."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.figure_bank import FigureNote, shipped_bank
from device.left_hand.figure_player import FigurePlayer
from device.left_hand.song_figure import GAPS, MOVES, SongFigures, gap_of, move_of

DRAWS = 80
MELODY = (-0.3, 1.0, 0.7, 0.5, 0.0, 6.0, 1.9, 1.2)
CHORDS = (0.4, 2.8, 0.9, 0.4, 0.1, 5.9, 1.2, 4.0)
"""Numbers of `right_hand.CONTEXT_NAMES`: the slow melody of a song, and the chords of a piano piece."""


def bars_of_songs() -> list[tuple[tuple[FigureNote, ...], ...]]:
    songs, rng = SongFigures(shipped_bank().arrays), np.random.default_rng(3)
    return [songs.draw(rng, 1.5, 0.0).bars for _ in range(DRAWS)]


def lowest_of(bar: tuple[FigureNote, ...]) -> list[FigureNote]:
    """Return the lowest note of each strike of a bar, in order."""
    return [min(n for n in bar if n.position == at) for at in sorted({note.position for note in bar})]


def test_a_move_is_a_fall_or_a_rise_from_a_fourth_on() -> None:
    assert [move_of(semitones) for semitones in (-12, -5, -4, 0, 4, 5, 12)] == [0, 0, 1, 1, 1, 2, 2]
    assert [gap_of(steps) for steps in (1, 2, 4, 5, 16)] == [0, 1, 3, 4, 4]
    assert shipped_bank().arrays["song_ratio"].shape[:3] == (2, MOVES, GAPS)


def test_a_key_is_let_go_before_the_hand_falls_and_held_while_it_rises() -> None:
    """So a broken chord rings on, and the hand is free before it reaches down to the next bass."""
    ratios: tuple[list[float], ...] = ([], [], [])
    for bars in bars_of_songs():
        for bar, following in zip(bars, [*bars[1:], bars[0]], strict=True):
            later = [note._replace(position=16 + note.position) for note in lowest_of(following)[:1]]
            for note, other in pairwise([*lowest_of(bar), *later]):
                ratios[move_of(other.height - note.height)].append(note.length / (other.position - note.position))
    falls, near, rises = (np.median(values) for values in ratios)
    assert falls < 1.0 and near <= 1.0 and rises > 1.5


def test_the_heights_follow_from_strike_to_strike_as_in_songs() -> None:
    """In POP909 a tenth of the moves within a bar are wider than an octave."""
    moves = [
        abs(other.height - note.height)
        for bars in bars_of_songs()
        for bar in bars
        for note, other in pairwise(lowest_of(bar))
    ]
    assert 0.02 < np.mean(np.array(moves) > 12) < 0.14


@pytest.mark.parametrize("struck", [[0, 4, 8, 12], [0, 2, 6, 8, 10, 14]])
def test_two_bars_of_the_same_rhythm_and_ranks_have_the_same_heights(struck: list[int]) -> None:
    songs, rank = SongFigures(shipped_bank().arrays), np.random.default_rng(4).random(16)
    heights = songs._contour(struck, rank)
    assert heights == songs._contour(struck, rank) and [position for position, _ in heights] == struck
    assert songs._contour(struck[:2], rank) == heights[:2]


def songs_under(contexts: list[tuple[float, ...] | None], meter: str = "4/4") -> list[bool]:
    """Return for each bar whether its figure is of songs. `contexts` describe the right hand at each bar line."""
    felt, player = Meter.parse(meter), FigurePlayer(shipped_bank())
    found = []
    for bar, context in enumerate(contexts):
        for position in range(felt.steps_per_bar):
            i = bar * felt.steps_per_bar + position
            known = None if position or context is None else np.array(context)
            struck = player.at(Step(i, i * 0.125, 0.125, position, felt, 1.0), known, (60, 64, 67))
            assert struck is not None
        found.append(struck.song)
    return found


def test_a_song_that_opens_with_few_notes_gets_its_figures_as_soon_as_it_is_known_as_a_song() -> None:
    assert songs_under([None, None, *3 * [MELODY]]) == [False, False, True, True, True]
    assert songs_under(4 * [MELODY]) == 4 * [True]
    assert songs_under([None, *3 * [CHORDS]]) == 4 * [False]
    assert songs_under([None, *3 * [MELODY]], "3/4") == 4 * [False]


def test_a_piece_that_turns_into_a_melody_keeps_its_figure_to_the_end_of_its_phrase() -> None:
    assert songs_under([CHORDS, *3 * [MELODY]]) == 4 * [False]
