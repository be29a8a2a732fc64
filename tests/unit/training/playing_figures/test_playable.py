"""Playability by one hand, judged by note times."""

from __future__ import annotations

import numpy as np
import pytest

from device.events import Send
from training.playing_figures.playable import Rows, faults, rows_of

NOBODY: Rows = np.zeros((0, 3))


def hand(*notes: tuple[float, float, int]) -> Rows:
    return np.array(notes, np.float64).reshape(-1, 3)


def test_a_chord_of_a_tenth_under_the_melody_is_playable() -> None:
    assert faults(hand((0, 1, 48), (0, 1, 55), (0, 1, 64)), hand((0, 1, 72)), 0.1) == []


@pytest.mark.parametrize(
    ("left", "fault"),
    [
        (hand(*((0.0, 1.0, 48 + i) for i in range(6))), "keys"),
        (hand((0, 1, 40), (0, 1, 57)), "span"),
        (hand((0, 0.05, 40), (0.1, 0.2, 53)), "leap"),
        (hand((0, 0.05, 30), (0.2, 0.3, 55)), "leap"),
    ],
)
def test_what_no_hand_can_do_is_named(left: Rows, fault: str) -> None:
    assert faults(left, NOBODY, 0.1) == [fault]


def test_an_octave_takes_an_eighth_of_a_second() -> None:
    assert faults(hand((0, 0.1, 40), (0.125, 0.3, 52)), NOBODY, 0.1) == []


def test_a_key_above_the_right_hand_s_crosses_it_once_that_can_be_known() -> None:
    left = hand((1.0, 2.0, 62))
    assert faults(left, hand((0.5, 2.0, 60)), 0.2) == ["crossing"]
    assert faults(left, hand((0.9, 2.0, 60)), 0.2) == []


def test_messages_are_notes_until_they_are_let_go() -> None:
    sends = [
        Send(0.0, 0.0, "note_on", 48, 60),
        Send(1.0, 0.5, "note_off", 48, 0),
        Send(2.0, 1.0, "note_on", 50, 60),
    ]
    assert rows_of(sends).tolist() == [[0.0, 1.0, 48.0], [2.0, np.inf, 50.0]]
