"""If the player stops on the tonic, the last strike is the tonic."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.ending import Ending
from device.left_hand.harmony import Chord

FOUR = Meter(4, 4)
C, G = Chord((0, 4, 7), "C"), Chord((7, 11, 2), "G")


def plan(top: int | None, age_steps: float) -> Plan:
    """The net wants G, whoever ends in C."""
    classes, bass = np.full(12, 0.1, np.float32), np.zeros(13, np.float32)
    classes[[7, 11, 2]], bass[7] = 0.9, 1.0
    return Plan(False, G, classes, bass, 0.9, 0.9, 0.9, 60, top, 80.0, 1.0, age_steps, C)


def chords(last_key: int, struck: int, let_go: int, until: int) -> list[str]:
    """The chord of each step from 0 on: the player strikes `last_key` at a step and lets it go at another."""
    ending, given = Ending(), []
    for i in range(until):
        held = last_key if struck <= i < let_go else None
        step = Step(i, 0.15 * i, 0.15, i % 16, FOUR, 1.0)
        chord = ending.at(plan(72 if i < struck else held, 1.0 if i < struck else i - struck), step).chord
        given.append(chord.name if chord is not None else "none")
    return given


def test_a_tonic_held_into_a_bar_is_answered_by_the_tonic_and_by_nothing_else_until_the_player_goes_on() -> None:
    assert chords(72, struck=8, let_go=17, until=26) == ["G"] * 16 + ["C"] * 10


def test_a_tonic_let_go_within_the_bar_is_the_end_once_nothing_has_followed_it_for_three_beats() -> None:
    assert chords(72, struck=0, let_go=4, until=16) == ["G"] * 12 + ["C"] * 4


@pytest.mark.parametrize("key", [74, 76, 79])
def test_on_any_other_note_the_music_goes_on(key: int) -> None:
    assert set(chords(key, struck=8, let_go=17, until=30)) == {"G"}


def test_an_ordinary_rest_is_none_of_its_business() -> None:
    assert set(chords(72, struck=1, let_go=3, until=12)) == {"G"}


def test_when_the_player_goes_on_so_does_the_music() -> None:
    ending = Ending()
    for i in range(8, 20):
        ending.at(plan(72, i - 8.0), Step(i, 0.15 * i, 0.15, i % 16, FOUR, 1.0))
    assert ending.at(plan(74, 0.0), Step(20, 3.0, 0.15, 4, FOUR, 1.0)).chord == G


def test_nothing_beside_the_tonic_is_likely_then_and_the_root_is_its_bass() -> None:
    ending = Ending()
    at_rest = [ending.at(plan(72, i - 8.0), Step(i, 0.15 * i, 0.15, i % 16, FOUR, 1.0)) for i in range(8, 17)][-1]
    assert set(np.flatnonzero(at_rest.classes)) == {0, 4, 7}
    assert int(np.argmax(at_rest.bass)) == 0
