"""Density and register do what their names say, in named styles and in the figures of auto."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from device.clock.meter import Meter
from device.left_hand.accompanist import Accompanist
from device.left_hand.figure_bank import Excerpt, FigureNote, shipped_bank
from device.left_hand.figure_density import scaled, strikes_a_bar
from device.left_hand.figure_player import FigureStrike
from device.left_hand.figure_voicing import Ground, base_of
from device.left_hand.player import LeftHand
from device.left_hand.texture import figure_of
from device.settings.choices import STYLES, VARIATIONS, Steering, Style, Variation
from tests.unit.helpers.nets import EchoNet
from tests.unit.helpers.steps_and_tunes import grid, melody, played
from training.playing_figures.playable import rows_of


def strikes(style: Style, variation: Variation, meter: str, density: float) -> int:
    """The number of strikes in the second bar of a style."""
    made, size = figure_of(style, variation), Meter.parse(meter).steps_per_bar
    struck = [made.at(step, step.index == 0, density).any for step in grid(2 * size, meter)]
    return sum(struck[size:])


@pytest.mark.parametrize("variation", VARIATIONS)
@pytest.mark.parametrize("style", STYLES[1:])
@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4", "6/8"])
def test_a_density_of_two_strikes_more_in_every_style(style: Style, variation: Variation, meter: str) -> None:
    few, usual, many = (strikes(style, variation, meter, density) for density in (0.5, 1.0, 2.0))
    assert few <= usual < many or (style == "oom-pah" and meter == "6/8" and few <= usual <= many)


@pytest.mark.parametrize("style", ["waltz", "march", "swing", "stride", "ballad", "block", "broken", "alberti"])
def test_half_the_density_strikes_less(style: Style) -> None:
    assert strikes(style, 1, "4/4", 0.5) < strikes(style, 1, "4/4", 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_auto_strikes_more_often_with_more_density(seed: int) -> None:
    def strikes_of(density: float) -> int:
        hand = LeftHand(Accompanist(EchoNet(1)), Steering(density=density, seed=seed))
        rows = rows_of(played(hand, melody(640, 0.125, 1, 64), grid(640)))
        return len({round(float(on), 3) for on in rows[:, 0]})

    quarter, half, usual, double = (strikes_of(density) for density in (0.25, 0.5, 1.0, 2.0))
    assert quarter < half < usual < double
    assert 0.2 < quarter / usual < 0.5 and 0.3 < half / usual < 0.75


def lines(excerpt: Excerpt) -> list[list[int]]:
    return [sorted({note.position for note in bar}) for bar in excerpt.bars]


def test_the_weakest_strikes_are_left_out_first_and_the_others_last_longer() -> None:
    bar = tuple(FigureNote(at, 2, 0 if at == 0 else 7, 0) for at in range(0, 16, 2))
    excerpt = Excerpt((bar,), (0,), 40)
    assert lines(scaled(excerpt, 0.5, 16, 4)) == [[0, 4, 8, 12]]
    assert lines(scaled(excerpt, 0.25, 16, 4)) == [[0, 8]]
    assert lines(scaled(excerpt, 0.01, 16, 4)) == [[0]]
    assert [note.length for note in scaled(excerpt, 0.25, 16, 4).bars[0]] == [8, 8]


def test_strikes_are_added_in_the_longest_gaps_and_never_less_than_an_eighth_apart() -> None:
    excerpt = Excerpt(((FigureNote(0, 8, 0, 0), FigureNote(8, 8, 7, 2), FigureNote(8, 8, 12, 0)), ()), (0, 0), 40)
    doubled = scaled(excerpt, 2.0, 16, 4)
    assert lines(doubled) == [[0, 4, 8, 12], []]
    # the strike after the bass is another tone of the chord, and that after the chord its upper key
    assert [note.height for note in doubled.bars[0] if note.position in (4, 12)] == [7, 12]
    assert lines(scaled(excerpt, 9.0, 16, 4))[0] == list(range(0, 16, 2))
    for number in range(0, 1100, 50):
        own = shipped_bank().excerpt(min(number, len(shipped_bank().group) - 1))
        more = scaled(own, 2.0, 16, 4)
        assert strikes_a_bar(more.bars) >= strikes_a_bar(own.bars)
        for before, after in zip(lines(own), lines(more), strict=True):
            assert set(before) <= set(after)


def base(register: int, ceiling: int, lift: int = 0, song: bool = False) -> int:
    """The bass of a bar on C major whose figure has its place at C3, under a right hand from `ceiling` on."""
    ground = Ground((0, 4, 7), np.full(12, 0.3, np.float32), np.zeros(12, np.float32), None, ceiling, song=song)
    return base_of(FigureStrike((), lift, 48, True, song), 0, None, ground, register)


@pytest.mark.parametrize("song", [False, True])
@pytest.mark.parametrize("ceiling", [53, 56, 60, 64, 72])
def test_a_higher_register_never_lies_lower(ceiling: int, song: bool) -> None:
    found = [base(register, ceiling, song=song) for register in range(-12, 13)]
    assert all(np.diff(found) >= 0), found
    assert found[-1] < ceiling


@pytest.mark.parametrize("song", [False, True])
def test_where_there_is_room_the_register_moves_the_hand_by_its_semitones(song: bool) -> None:
    assert [base(register, 90, song=song) - base(0, 90, song=song) for register in (-12, 12)] == [-12, 12]
    # a right hand that leaves no room for the figure's place leaves none for a lower octave either
    assert base(-12, 50, song=song) == base(0, 50, song=song) - 12


def test_no_key_lies_below_the_lowest_of_a_piano() -> None:
    for style in ("auto", "swing", "bass"):
        hand = LeftHand(Accompanist(EchoNet(2)), Steering(style, register=-12))
        keys: Sequence[float] = rows_of(played(hand, melody(320, 0.125, 2, 50), grid(320)))[:, 2]
        assert len(keys) and min(keys) >= 21
