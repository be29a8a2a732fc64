"""Tests for how long the keys of a figure are held."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.figure_bank import FigureNote, shipped_bank
from device.left_hand.figure_hand import FigureHand
from device.left_hand.figure_player import FigureStrike
from device.left_hand.harmony import Chord
from device.left_hand.held_keys import BREATH_STEPS, SONG_OPEN_STEPS, HeldKeys, held_steps
from device.left_hand.voicing import Fingers


@pytest.mark.parametrize(
    ("length", "gap", "song", "held"),
    [
        (3, 4, False, 4),
        (1, 4, False, 2),
        (6, 4, False, 6),
        (4, 4, False, 4),
        (1, 4, True, 2),
        (1, 2, True, 3),
        (1, 1, True, 2),
        (2, 2, True, 3),
        (3, 4, True, 3),
        (4, 4, True, 4),
        (7, 2, True, 7),
    ],
)
def test_keys_are_held_to_the_next_strike_where_a_piece_is_legato_and_for_the_figures_length_in_songs(
    length: int, gap: int, song: bool, held: int
) -> None:
    assert held_steps(length, FigureStrike((), 0, 40, False, song, gap), 0) == held


@pytest.mark.parametrize("position", [6, 14])
def test_a_key_of_a_song_that_ends_at_a_strike_on_the_half_of_the_bar_is_not_held_over_it(position: int) -> None:
    strike = FigureStrike((), 0, 40, False, song=True, gap=2)
    assert held_steps(2, strike, position) == 2
    assert held_steps(2, strike, position - 2) == 3


def plan_of(*classes: int) -> Plan:
    """Return a plan for a triad with these pitch classes, under a right hand that is silent."""
    likely = np.full(13, 0.05, np.float32)
    likely[list(classes)] = 0.6
    return Plan(False, Chord(classes, "of the test"), likely[:12], likely, 0.5, 0.5, 0.3, 72, None, 80.0, 1.0)


def hand_with(song: bool, *down: int) -> FigureHand:
    """Return a hand that struck the keys `down` (MIDI pitches) at step 0, and whose figure ended them at step 2."""
    hand = FigureHand(shipped_bank(), Fingers())
    hand._hand.press(down)
    hand._held.song = hand._entered = song
    hand._base, hand._held.until, hand._held.struck_at = min(down), dict.fromkeys(down, 2), dict.fromkeys(down, 0)
    return hand


def test_root_and_fifth_of_a_song_stay_for_a_bar_while_another_key_is_down() -> None:
    hand, c_major = hand_with(True, 48, 52, 55), plan_of(0, 4, 7)
    stays = {key: [now for now in range(2, 20) if not hand._held.is_over(key, c_major, now)] for key in (48, 52, 55)}
    assert stays == {48: list(range(2, SONG_OPEN_STEPS)), 52: [], 55: list(range(2, SONG_OPEN_STEPS))}
    assert hand._held.is_over(48, plan_of(5, 9, 0), 2) is False, "the key is the fifth of the new chord"
    assert hand._held.is_over(48, plan_of(9, 0, 4), 2), "the key is the third of the new chord"
    hand._hand.let_go([52, 55])
    assert hand._held.is_over(48, c_major, 2), "a key alone is released"


def test_root_and_fifth_of_a_song_are_released_if_another_key_has_their_tone() -> None:
    hand = hand_with(True, 43, 48, 55)
    assert [key for key in (43, 48, 55) if hand._held.is_over(key, plan_of(0, 4, 7), 4)] == [43, 55]


def test_root_and_fifth_of_a_piece_end_with_their_figure() -> None:
    hand = hand_with(False, 48, 55)
    assert all(hand._held.is_over(key, plan_of(0, 4, 7), 2) for key in (48, 55))


def test_a_strike_of_a_song_releases_only_the_keys_that_are_in_its_way() -> None:
    """The fifth is struck again at step 4. The root, which the figure ended at step 2, sounds on under it."""
    hand = hand_with(True, 48, 55)
    notes = {4: (FigureNote(4, 2, 7, 2),)}
    hand._player.at = lambda step, *_: FigureStrike(  # type: ignore[method-assign]
        notes.get(step.position, ()), 0, 48, False, True, 2
    )
    plan = plan_of(0, 4, 7)
    plan.classes[[0, 4]] = 0.01
    keys, lifted = hand.at(Step(4, 0.5, 0.125, 4, Meter.parse("4/4"), 1.0), plan, 1.0)
    assert keys == [55]
    assert (lifted, hand._hand.down) == ([55], [48, 55])


def test_before_a_fall_a_song_lets_go_of_the_keys_whose_time_is_over() -> None:
    """The root's time is not over, so it stays. The fifth stays only for the chord. No other key has its tone."""
    hand, c_major = hand_with(True, 48, 55), plan_of(0, 4, 7)
    hand._held.until[48] = 99
    assert not hand._held.is_over(55, c_major, 7)
    hand._held.falls = True
    assert [key for key in (48, 55) if hand._held.is_over(key, c_major, 7)] == [55]
    hand._held.struck_at[55] = 6
    assert not hand._held.is_over(55, c_major, 7), "no key is shorter than an eighth for this reason"


@pytest.mark.parametrize(
    ("top", "age_steps", "song", "over"),
    [
        (76, 4.0, False, False),
        (None, 4.0, False, True),
        (76, float(BREATH_STEPS), False, True),
        (None, float(BREATH_STEPS), True, False),
    ],
)
def test_where_the_melody_rests_a_key_of_a_piece_ends_with_the_figures_length(
    top: int | None, age_steps: float, song: bool, over: bool
) -> None:
    fingers = Fingers()
    fingers.press([48, 52])
    held = HeldKeys(fingers)
    held.song = song
    held.strike(0, {48: 8, 52: 8}, own={48: 5, 52: 8})
    plan = plan_of(0, 4, 7)
    plan.top, plan.age_steps, plan.ceiling = top, age_steps, 84
    assert [held.is_over(48, plan, 4), held.is_over(48, plan, 5)] == [False, over]
    assert not held.is_over(52, plan, 5)
