"""A right hand that holds all notes of a chord says what the chord is."""

from __future__ import annotations

import numpy as np
import pytest

from device.events import Note
from device.left_hand.accompanist import Plan
from device.left_hand.chord_net import ChordNet, shipped_arrays
from device.left_hand.harmony import Chord
from device.left_hand.phrase_memory import PhraseMemory, Recalled
from device.left_hand.progression import Progression, full_triad
from device.left_hand.right_hand import RightHand
from tests.unit.helpers.plays import fresh_left_hand
from tests.unit.helpers.steps_and_tunes import grid, played

A_MINOR, A_MAJOR = 21, 9
SONG = ((60, 64, 67), (59, 62, 67), (60, 64, 69), (60, 65, 69))
"""C, G, Am and F, as a songwriter strikes them."""


def down(*classes: int) -> tuple[int, ...]:
    return tuple(classes.count(pitch_class) for pitch_class in range(12))


@pytest.mark.parametrize(
    ("keys", "triad"),
    [
        (down(0, 4, 7), 0),
        (down(0, 0, 4, 7), 0),
        (down(9, 0, 4), A_MINOR),
        (down(7, 11, 2, 5), 7),
        (down(0, 4), None),
        (down(9, 0, 4, 7), None),
        (down(0, 4, 7, 11), None),
        (down(), None),
    ],
)
def test_all_notes_of_a_triad_sound_and_at_most_the_seventh_of_a_dominant(
    keys: tuple[int, ...], triad: int | None
) -> None:
    assert full_triad(keys) == triad


@pytest.mark.parametrize(("sounding", "chosen"), [(down(9, 0, 4), A_MINOR), (down(9, 4), A_MAJOR)])
def test_within_a_beat_the_triad_that_is_held_replaces_the_one_that_was_expected(
    sounding: tuple[int, ...], chosen: int
) -> None:
    """The nets expect A major, as in the bar before."""
    ahead = np.full(12, 0.05, np.float32)
    ahead[[9, 1, 4]] = 0.6
    progression, right = Progression(ChordNet(shipped_arrays())), RightHand()
    found = []
    for step in grid(3):
        right.at(step, step.plan_s)
        heard = down() if step.index == 0 else sounding
        chord = Chord((9, 1, 4), "A")
        bass = np.append(ahead, np.float32(0.05))
        progression.at(
            Plan(False, chord, ahead, bass, 0.5, 0.5, 0.3, 84, 69, 80.0, 1.0, ahead=ahead, sounding=heard), step, right
        )
        found.append(progression.triad)
    assert (found[0], found[-1]) == (A_MAJOR, chosen)


@pytest.mark.parametrize(("sounding", "remembers"), [(down(9, 0, 4), False), (down(9, 4), True)])
def test_a_triad_that_is_held_is_believed_more_than_the_memory_of_phrases(
    monkeypatch: pytest.MonkeyPatch, sounding: tuple[int, ...], remembers: bool
) -> None:
    remembered = np.full(24, -6.0, np.float32)
    remembered[A_MAJOR] = 0.0
    monkeypatch.setattr(PhraseMemory, "recall", lambda self: Recalled(remembered, 1.0))
    ahead = np.full(12, 0.3, np.float32)
    progression, right, found = Progression(ChordNet(shipped_arrays())), RightHand(), []
    for step in grid(9):
        right.at(step, step.plan_s)
        heard = down() if step.index == 0 else sounding
        bass = np.append(ahead, np.float32(0.05))
        chord = Chord((9, 1, 4), "A")
        progression.at(
            Plan(False, chord, ahead, bass, 0.5, 0.5, 0.3, 84, 69, 80.0, 1.0, ahead=ahead, sounding=heard), step, right
        )
        found.append(progression.triad)
    assert found[0] == A_MAJOR and (A_MAJOR in found[1:]) == remembers


def test_under_repeated_chords_no_strike_after_the_first_beat_contradicts_them() -> None:
    steps = grid(8 * 16)
    notes = [
        Note(steps[16 * bar + 4 * beat].time_s, steps[16 * bar + 4 * beat].time_s + 0.45, key, 80, 1.0, at_s, "right")
        for bar, chord in enumerate(SONG + SONG)
        for beat in range(4)
        for at_s in (steps[16 * bar + 4 * beat].time_s,)
        for key in chord
    ]
    sent = played(fresh_left_hand(), notes, steps)
    struck = [(round((send.due_s - 1.0) / 0.125), send.pitch) for send in sent if send.kind == "note_on"]
    later = [(at, key) for at, key in struck if at < 128 and at % 16 >= 4]
    assert len(later) >= 4
    assert not [(at, key) for at, key in later if key % 12 in (1, 3, 6, 8, 10)]
