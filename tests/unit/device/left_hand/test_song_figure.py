"""Figures of songs: when they are chosen, how the hand moves through a bar, and for how long it holds its keys."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.figure_bank import FigureNote, shipped_bank
from device.left_hand.figure_hand import FigureHand
from device.left_hand.figure_player import FigurePlayer, FigureStrike
from device.left_hand.figure_voicing import at_home
from device.left_hand.harmony import Chord
from device.left_hand.song_figure import GAPS, MOVES, SongFigures, gap_of, move_of
from device.left_hand.voicing import Fingers

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


@pytest.mark.parametrize(
    ("melody", "last", "first", "falls"),
    [(MELODY, 12, 0, True), (MELODY, 4, 0, False), (MELODY, 12, None, False), (MELODY, None, 0, True)],
)
def test_the_hand_falls_to_a_bar_line_a_fourth_or_more_below_its_last_strike(
    melody: tuple[float, ...], last: int | None, first: int | None, falls: bool
) -> None:
    """`last` and `first` are the heights of the last strike of a bar and of a strike on the next bar line."""
    felt, player = Meter.parse("4/4"), FigurePlayer(shipped_bank())
    bars = [() if last is None else (FigureNote(0, 2, 0, 0), FigureNote(12, 2, last, 0))]
    bars.append((FigureNote(4, 2, 7, 2),) if first is None else (FigureNote(0, 2, first, 0),))
    steps = [Step(i, i * 0.125, 0.125, i, felt, 1.0) for i in range(16)]
    player.at(steps[0], np.array(melody), (60,))
    playing = player._playing[2]
    playing.excerpt = replace(playing.excerpt, bars=tuple(bars * 4))
    assert [step.index for step in steps if player.falls_next(step)] == ([15] if falls else [])


def test_a_figure_of_a_piece_does_not_fall() -> None:
    felt, player = Meter.parse("4/4"), FigurePlayer(shipped_bank())
    steps = [Step(i, i * 0.125, 0.125, i % 16, felt, 1.0) for i in range(128)]
    for step in steps:
        player.at(step, np.array(CHORDS), (60,))
        assert not player.falls_next(step)


def test_the_upper_keys_of_a_song_stay_where_they_are_if_the_bass_moves() -> None:
    upper, bass = (FigureNote(2, 2, 12, 0), FigureNote(2, 2, 16, 1)), (FigureNote(0, 2, 0, 0), FigureNote(0, 2, 12, 0))
    assert [40 + note.height for note in at_home(upper, 40, 45.0)] == [57, 61]
    assert [48 + note.height for note in at_home(upper, 48, 45.0)] == [57, 61]
    assert at_home(bass, 40, 45.0) == bass, "an octave above a bass moves with it"
    assert [note.height for note in at_home((FigureNote(2, 2, 7, 2),), 48, 43.0)] == [5], "no bass is struck for it"


def test_the_keys_above_the_bass_of_a_song_do_not_follow_it_down() -> None:
    """The bass falls from C to F, a fifth. A fifth above it there would be C, a fifth below the G of the bar before."""
    assert tops_under((0, 4, 7), (5, 9, 0)) == [(48, 55), (41, 57)]


def tops_under(*chords: tuple[int, ...]) -> list[tuple[int, int]]:
    """Play a bar of a song on each of `chords`: a bass, and a key a fifth or more above. Returns the two keys."""
    hand = FigureHand(shipped_bank(), Fingers())
    hand._entered = True
    notes = {0: (FigureNote(0, 2, 0, 0),), 2: (FigureNote(2, 2, 9, 2),)}
    hand._player.at = lambda step, *_: FigureStrike(  # type: ignore[method-assign]
        notes.get(step.position, ()), 0, 40, step.is_bar, True, 2
    )
    felt, found = Meter.parse("4/4"), []
    for bar, classes in enumerate(chords):
        likely = np.full(13, 0.3, np.float32)
        plan = Plan(False, Chord(classes, "of the test"), likely[:12], likely, 0.5, 0.5, 0.3, 84, None, 80.0, 1.0)
        steps = [Step(16 * bar + i, (16 * bar + i) * 0.125, 0.125, i, felt, 1.0) for i in range(16)]
        struck = [hand.at(step, plan, 1.0)[0] for step in steps]
        found.append((min(struck[0]), max(struck[2])))
    return found


def test_no_chord_of_a_song_has_a_seventh() -> None:
    hand, likely = FigureHand(shipped_bank(), Fingers()), np.full(13, 0.3, np.float32)
    plan = Plan(False, Chord((7, 11, 2, 5), "G7"), likely[:12], likely, 0.5, 0.5, 0.3, 84, None, 80.0, 1.0)
    step = Step(0, 0.0, 0.125, 0, Meter.parse("4/4"), 1.0)
    assert [list(hand._ground(step, plan, song).classes) for song in (True, False)] == [[7, 11, 2], [7, 11, 2, 5]]
