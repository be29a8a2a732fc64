"""Tests of the figures that compare heard notes with labels."""

from __future__ import annotations

import numpy as np
import pytest

from training.hearing_figures.measure import by_pitch, ends, lateness, recalled
from training.note_scores import Notes, score


def notes(*rows: tuple[float, float, int]) -> Notes:
    return np.array([(on, off, pitch, 64) for on, off, pitch in rows], np.float64).reshape(-1, 4)


LABELS = notes((0.0, 0.5, 60), (1.0, 1.5, 64), (2.0, 2.5, 48))


def moved(late_s: float) -> Notes:
    return LABELS + np.array([late_s, late_s, 0, 0])


def test_what_is_as_labelled_is_right_in_every_way() -> None:
    assert set(vars(score(LABELS, LABELS, 3.0)).values()) == {1.0}


@pytest.mark.parametrize(
    ("late_s", "at_30", "at_50", "at_150"), [(0.02, 1, 1, 1), (0.04, 0, 1, 1), (0.1, 0, 0, 1), (0.2, 0, 0, 0)]
)
def test_a_late_note_is_found_within_its_tolerance(late_s: float, at_30: int, at_50: int, at_150: int) -> None:
    found = score(moved(late_s), LABELS, 3.0)
    assert (found.onset_30, found.onset_50, found.onset_150) == (at_30, at_50, at_150)


def test_a_ghost_costs_precision_and_a_missed_note_recall() -> None:
    ghost = score(np.concatenate([LABELS, notes((2.7, 2.9, 72))]), LABELS, 3.0)
    assert (ghost.precision, ghost.recall, ghost.treble) == (0.75, 1.0, pytest.approx(0.8))
    missed = score(LABELS[:2], LABELS, 3.0)
    assert (missed.precision, missed.recall, missed.treble) == (1.0, pytest.approx(2 / 3), 1.0)


def test_a_wrong_end_costs_offset_and_frames_alone() -> None:
    held = LABELS + np.array([0, 0.4, 0, 0])
    found = score(held, LABELS, 3.5)
    assert found.onset_30 == 1 and found.offset == 0
    assert found.frame == pytest.approx(1 / 1.4, abs=0.02)


def test_where_there_is_nothing_to_hear_silence_is_right() -> None:
    assert score(notes(), notes(), 3.0).onset_50 == 1
    assert score(LABELS, notes(), 3.0).precision == 0
    assert score(notes(), LABELS, 3.0).recall == 0


def test_how_late_soft_and_loud_strokes_are_heard_is_told_apart() -> None:
    told = lateness([(20, 0.08), (25, 0.08), (35, 0.02), (90, -0.01)])
    assert told == "below 30: 80 80 80; 30 to 44: 20 20 20; from 45: -10 -10 -10"
    assert lateness([(90, 0.0)]) == "from 45: 0 0 0"


def test_how_many_soft_and_loud_strokes_are_heard_is_told_apart() -> None:
    assert (
        recalled([(20, 0), (25, 1), (44, 1), (45, 1)])
        == "below 30: 50.0 of 2; 30 to 44: 100.0 of 1; from 45: 100.0 of 1"
    )


def test_recall_is_told_octave_by_octave_below_middle_c() -> None:
    told = by_pitch([(21, 0), (35, 1), (36, 1), (60, 0), (60, 1), (108, 1), (108, 1)])
    assert told == "below C2: 50.0 of 2; C2 to B2: 100.0 of 1; from C4: 75.0 of 4"


@pytest.mark.parametrize(("end_s", "side"), [(1.94, -1), (1.96, 0), (2.0, 0), (2.04, 0), (2.06, 1)])
def test_a_note_may_end_a_little_off(end_s: float, side: int) -> None:
    short = np.array([1.8, 2.0, 60, 64])
    assert ends(np.array([1.8, end_s, 60, 64]), short) == side


def test_a_long_note_may_end_off_by_a_fifth_of_it() -> None:
    assert ends(np.array([0, 2.3, 60, 64]), np.array([0, 2.0, 60, 64])) == 0
    assert ends(np.array([0, 2.5, 60, 64]), np.array([0, 2.0, 60, 64])) == 1
