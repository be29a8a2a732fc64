"""The tables of the clock's rhythm, counted from scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following.rhythm import next_class, previous_class
from tests.unit.helpers.pieces import BARS, piece
from training.corpora.pieces import HandLabel
from training.rhythm import count, lines, tables

COMMON, WALTZ = Meter(4, 4), Meter(3, 4)
QUARTER_STEPS = 4


def test_every_onset_of_the_right_hand_is_counted_at_its_position() -> None:
    counts = count([piece(0)], COMMON)
    expected = np.zeros(COMMON.steps_per_bar)
    expected[::QUARTER_STEPS] = BARS
    np.testing.assert_array_equal(counts.onset, expected)


def test_the_next_onset_comes_a_quarter_later() -> None:
    following = count([piece(0)], COMMON).following
    at = (previous_class(np.array(QUARTER_STEPS)), next_class(np.array(QUARTER_STEPS)))
    # the first onset has none before it, and the last none after it
    assert following[:, *at].sum() == following.sum() == 4 * BARS - 2


def test_a_piece_in_another_metre_is_not_counted() -> None:
    assert not any(table.any() for table in count([piece(0)], WALTZ))


def test_an_onset_between_the_steps_ends_a_line() -> None:
    whole = piece(0)
    notes = whole.notes.copy()
    notes["onset"][np.flatnonzero(notes["hand"] == HandLabel.RIGHT)[10]] += 0.125
    assert [len(line) for line in lines(whole, COMMON)] == [4 * BARS]
    assert [len(line) for line in lines(replace(whole, notes=notes), COMMON)] == [10, 4 * BARS - 11]


def test_the_tables_are_probabilities_also_of_what_was_never_counted() -> None:
    made = tables(count([piece(0), piece(1)], COMMON))
    assert made["onset"].sum() == pytest.approx(1)
    np.testing.assert_allclose(made["next"].sum(axis=-1), 1, rtol=1e-5)
    assert all((table > 0).all() for table in made.values())
