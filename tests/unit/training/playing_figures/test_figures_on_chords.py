"""A figure on other chords keeps its rhythm, its lengths and the parts that its keys have in the chord."""

from __future__ import annotations

import numpy as np
import pytest

from training.playing_figures.figures_on_chords import (
    figures_of,
    on_chord,
    on_chords,
    retrieved,
    roll_from,
    triads_of,
)
from training.playing_figures.strikes import lengths_of

STEPS = 16 * 6
POSITIONS = np.arange(STEPS) % 16
C, G, A_MINOR = 0, 7, 12 + 9
OOM_PAH = [(0, 40, 4), (4, 52, 2), (4, 55, 2), (8, 43, 4), (12, 52, 2), (12, 55, 2)]


@pytest.mark.parametrize(
    ("key", "own", "wanted", "found"),
    [(48, C, C, 48), (48, C, G, 43), (52, C, G, 47), (52, C, A_MINOR, 48), (48, A_MINOR, C, 52), (50, C, G, 45)],
)
def test_a_key_keeps_its_part_in_the_chord(key: int, own: int, wanted: int, found: int) -> None:
    assert on_chord(key, own, wanted) == found


def test_a_figure_keeps_its_rhythm_and_lengths_on_another_chord() -> None:
    hand = roll_from([(bar * 16 + step, key, length) for bar in range(6) for step, key, length in OOM_PAH], STEPS)
    moved = on_chords(hand, np.full(STEPS, C), np.full(STEPS, G))
    assert [(step, length) for step, _, length in lengths_of(moved)] == [(s, n) for s, _, n in lengths_of(hand)]
    assert set(triads_of(moved.sounding, POSITIONS, 16).tolist()) == {G}


def test_a_silent_half_bar_has_the_chord_before_it_and_the_beginning_has_none() -> None:
    hand = roll_from([(16, key, 4) for key in (48, 52, 55)], STEPS)
    assert triads_of(hand.sounding, POSITIONS, 16).tolist() == [-1] * 16 + [C] * (STEPS - 16)


def test_a_figure_comes_from_the_other_piece_whose_right_hand_is_most_alike() -> None:
    slow = roll_from([(16 * bar, 72, 16) for bar in range(6)], STEPS)
    fast = roll_from([(4 * beat, 72, 4) for beat in range(24)], STEPS)
    waltz = roll_from([(bar * 16 + step, key, length) for bar in range(6) for step, key, length in OOM_PAH], STEPS)
    held = roll_from([(16 * bar + step, 48, 8) for bar in range(6) for step in (0, 8)], STEPS)
    library = figures_of("slow", slow, held, POSITIONS, 16) + figures_of("fast", fast, waltz, POSITIONS, 16)
    found = retrieved("mine", fast, POSITIONS, 16, np.full(STEPS, C), library)
    assert found is not None
    four_bars = 4 * 16
    assert (found.struck[:four_bars].any(axis=1) == waltz.struck[:four_bars].any(axis=1)).all()
    other = retrieved("fast", fast, POSITIONS, 16, np.full(STEPS, C), library)
    assert other is not None and (other.struck[:four_bars].any(axis=1) == held.struck[:four_bars].any(axis=1)).all()
    assert retrieved("mine", fast, POSITIONS, 12, np.full(STEPS, C), library) is None
