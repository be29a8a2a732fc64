"""Chord names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.left_hand.chord_names import NO_CHORD, ROOTS, label


@pytest.mark.parametrize(
    ("classes", "name"),
    [
        ({0, 4, 7}, "C"),
        ({9, 0, 4}, "Am"),
        ({7, 11, 2, 5}, "G7"),
        ({5, 9, 0, 4}, "Fmaj7"),
        ({2, 5, 9, 0}, "Dm7"),
        ({11, 2, 5}, "Bdim"),
    ],
)
def test_a_complete_chord_has_its_own_name(classes: set[int], name: str) -> None:
    assert label(classes) == name


def test_nothing_has_no_chord() -> None:
    assert label(()) == NO_CHORD


def test_a_bass_decides_between_names_that_fit_alike() -> None:
    assert label({9, 0, 4, 7}, bass=9) == "Am7"
    assert label({0, 7}, bass=0).startswith("C")


@given(st.sets(st.integers(0, 11), min_size=1), st.integers(1, 11))
def test_a_transposed_chord_that_is_complete_is_named_by_its_transposed_root(classes: set[int], by: int) -> None:
    major = {0, 4, 7}
    assert label({(pc + by) % 12 for pc in major}) == ROOTS[by]
    assert label(classes) != NO_CHORD
