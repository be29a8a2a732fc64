"""Takes that hearing is measured on: excerpts, and the box's left hand to a right hand that is played."""

from __future__ import annotations

import numpy as np
import pytest

from device.bundles.bundle import Bundle, default_bundle
from training.hearing_figures.takes import EXCERPT_S, Take, excerpt, left_hand_to
from training.scenes.perform import PlayedScore
from training.scenes.render import Played

RATE = 16_000


@pytest.fixture(scope="module")
def right() -> PlayedScore:
    """A melody in C at 120 beats a minute, a note a beat."""
    keys = (72, 74, 76, 77, 79, 77, 76, 74)
    notes = [Played(0.5 * i, 0.5 * i + 0.4, keys[i % 8], 80) for i in range(56)]
    return PlayedScore(notes, [])


def test_an_excerpt_is_the_beginning_of_a_take() -> None:
    notes = np.array([(0.5, 1.0, 60, 70), (1.5, 4.0, 64, 70), (2.5, 3.0, 67, 70)])
    take = Take("one", np.zeros(4 * RATE, np.float32), RATE, notes, [(40, 1.0, 3.0), (41, 2.5, 3.0)])
    part = excerpt(take, 2.0)
    assert len(part.audio) == 2 * RATE and part.sent == [(40, 1.0, 2.0)]
    assert part.notes.tolist() == [[0.5, 1.0, 60, 70], [1.5, 2.0, 64, 70]]
    assert take.notes[1, 1] == 4.0, "the take stays as it was"


def test_our_left_hand_comes_in_after_it_has_listened_and_lies_below_the_right(right: PlayedScore) -> None:
    left = left_hand_to(right, Bundle.open(default_bundle()))
    assert len(left.notes) > 10
    assert 1.5 < min(note.onset_s for note in left.notes) < 12, "four beats at least, and until the beat is sure"
    assert all(note.onset_s < note.offset_s <= EXCERPT_S and note.pitch < 72 for note in left.notes)


def test_without_a_bundle_there_is_no_left_hand_of_ours(right: PlayedScore) -> None:
    with pytest.raises(ValueError, match="whose left hand"):
        left_hand_to(right, None)
