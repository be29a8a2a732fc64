"""Errors of hearing by their kind."""

from __future__ import annotations

import numpy as np
import pytest

from training.hearing_figures.mistakes import judge
from training.note_scores import Notes


def notes(*rows: tuple[float, float, int]) -> Notes:
    return np.array([(*row, 64) for row in rows], np.float64).reshape(-1, 4)


LABELS = notes((1.0, 2.0, 60), (3.0, 4.0, 67))


def test_what_is_heard_in_time_is_a_hit() -> None:
    judged = judge(notes((1.03, 2, 60), (2.96, 4, 67)), LABELS)
    assert sorted(judged.hits) == [(0, 0), (1, 1)]
    assert judged.missed == [] and judged.ghosts == []


@pytest.mark.parametrize(
    ("ghost", "kind"),
    [
        ((1.1, 2.0, 60), "late"),
        ((1.0, 1.5, 72), "octave"),
        ((1.0, 1.5, 79), "octave"),
        ((1.5, 1.7, 61), "neighbour"),
        ((1.5, 1.7, 65), "other"),
        ((6.0, 6.5, 60), "other"),
    ],
)
def test_a_ghost_has_a_kind(ghost: tuple[float, float, int], kind: str) -> None:
    assert judge(notes(ghost), LABELS).kinds == {kind: 1}


def test_a_key_that_sounds_already_is_repeated_where_its_stroke_was_heard() -> None:
    assert judge(notes((1.0, 1.4, 60), (1.5, 2.0, 60)), LABELS).kinds == {"repeated": 1}


def test_a_missed_label_is_named() -> None:
    assert judge(notes((1.0, 2.0, 60)), LABELS).missed == [1]
