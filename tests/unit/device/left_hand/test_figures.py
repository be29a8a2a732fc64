"""Figures of the bank: which are chosen, which keys they become, and that the same piece gives the same notes."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.figure_bank import FILE, GROUPS, FigureNote, shipped_bank
from device.left_hand.figure_player import FigurePlayer, parts_of
from device.left_hand.figure_voicing import Ground, keys_of

BANK_BYTES = 200_000


def read(player: FigurePlayer, meter: str, opening: tuple[int, ...], bars: int = 16) -> list[object]:
    felt = Meter.parse(meter)
    size = felt.steps_per_bar
    steps = [Step(i, i * 0.125, 0.125, i % size, felt, 1.0) for i in range(bars * size)]
    return [player.at(step, None, opening) for step in steps]


def test_the_bank_is_small() -> None:
    assert 10_000 < FILE.stat().st_size <= BANK_BYTES


@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4", "6/8", "2/2", "5/4", "7/4", "12/8"])
def test_the_parts_of_a_bar_make_the_bar(meter: str) -> None:
    felt = Meter.parse(meter)
    parts = parts_of(felt.steps_per_bar, felt.steps_per_beat)
    assert sum(GROUPS[part][0] for part in parts) == felt.steps_per_bar


def test_a_bar_of_three_dotted_beats_has_no_figures() -> None:
    """The net's own texture plays there."""
    felt = Meter.parse("9/8")
    assert parts_of(felt.steps_per_bar, felt.steps_per_beat) == ()


@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4", "6/8", "5/4"])
def test_the_same_opening_gives_the_same_figures_and_another_does_not(meter: str) -> None:
    first = read(FigurePlayer(shipped_bank()), meter, (60, 64, 67))
    assert read(FigurePlayer(shipped_bank()), meter, (60, 64, 67)) == first
    others = [read(FigurePlayer(shipped_bank()), meter, (60, 64, pitch)) for pitch in range(68, 72)]
    assert any(other != first for other in others)


def test_after_reset_nothing_of_the_past_remains() -> None:
    player = FigurePlayer(shipped_bank())
    first = read(player, "4/4", (60,))
    player.reset()
    assert read(player, "4/4", (60,)) == first


@pytest.mark.parametrize("root", range(12))
def test_a_figure_becomes_tones_of_the_chord_below_the_right_hand(root: int) -> None:
    classes = (root, (root + 4) % 12, (root + 7) % 12)
    ground = Ground(classes, np.full(12, 0.3, np.float32), np.zeros(12, np.float32), None, 60)
    notes = [FigureNote(0, 4, 0, 0), FigureNote(0, 4, 7, 2), FigureNote(0, 4, 12, 0), FigureNote(0, 4, 16, 1)]
    keys = keys_of(notes, 36 + root, ground)
    assert keys and all(key % 12 in classes and key < 60 for key in keys)
    assert max(keys) - min(keys) <= 16


def test_a_tone_that_is_expected_to_clash_is_not_chosen() -> None:
    consonance = np.ones(12, np.float32)
    consonance[4] = -1.0
    ground = Ground((0, 4, 7), np.full(12, 0.3, np.float32), consonance, None, 72)
    assert not {key % 12 for key in keys_of([FigureNote(0, 2, 16, 1)], 36, ground)} & {4}
