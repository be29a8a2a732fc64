"""When the player has stopped, the last chord is the tonic or the chord of the player's last notes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.closing_chord import ClosingChord
from device.left_hand.harmony import Chord

FOUR = Meter(4, 4)
C, F, GUESS = Chord((0, 4, 7), "C"), Chord((5, 9, 0), "F"), Chord((2, 6, 9), "D")
STOP = 16
"""The step at which the player falls silent. The plan of the step after it knows that."""


def last_chord(tops: Sequence[int | None], struck: Sequence[int]) -> Chord | None:
    """Return the closing chord of a piece in C, two beats after the player's stop.

    `tops` are the player's highest keys at the steps up to the stop, `struck` the steps with an onset. F is the chord
    until the stop, and from then on another one is guessed.
    """
    closing = ClosingChord()
    for i in range(STOP + 9):
        known = i - 1
        top = tops[known] if 0 <= known < STOP else None
        age_steps = float(i - max((at for at in struck if at <= known), default=-100))
        step, sounds = Step(i, 0.15 * i, 0.15, i % 16, FOUR, 1.0), np.zeros(13, np.float32)
        chord = F if i < STOP else GUESS
        plan = Plan(False, chord, sounds[:12], sounds, 0.9, 0.9, 0.9, 60, top, 80.0, 1.0, age_steps, C)
        plan.ends = i >= STOP + 8
        if closing.at(plan, step, False, False):
            return plan.chord
    return None


@pytest.mark.parametrize("every", [1, 2, 4])
def test_after_a_last_note_outside_the_tonic_chord_it_is_the_chord_of_the_last_notes(every: int) -> None:
    assert last_chord([72] * (STOP - every) + [69] * every, range(0, STOP, every)) == F


@pytest.mark.parametrize("key", [64, 67, 72])
@pytest.mark.parametrize("every", [1, 2, 4])
def test_after_a_last_note_of_the_tonic_chord_it_is_the_tonic(every: int, key: int) -> None:
    assert last_chord([69] * (STOP - every) + [key] * every, range(0, STOP, every)) == C


def test_an_inner_key_that_goes_up_last_is_not_taken_for_the_last_highest_key() -> None:
    assert last_chord([69] * (STOP - 1) + [60], range(0, STOP, 4)) == F


def test_a_long_last_note_has_the_chord_that_was_found_a_beat_after_its_onset() -> None:
    assert last_chord([69] * STOP, [0, 4]) == F
