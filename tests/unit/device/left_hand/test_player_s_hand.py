"""The player's own left hand: the box is silent under it, and goes on in its manner."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from device.events import Note, Send
from device.left_hand.accompanist import Accompanist
from device.left_hand.player import LeftHand
from device.settings.choices import Steering
from tests.unit.helpers.nets import EchoNet, FixedNet
from tests.unit.helpers.steps_and_tunes import grid, melody, played


def both_hands(bars: int, pattern: dict[int, tuple[int, ...]], right_bars: int, step_s: float = 0.125) -> list[Note]:
    """`bars` bars of a left hand (position to pitches, each held two steps), under a right hand of `right_bars`."""
    left = [
        Note(1 + (16 * bar + at) * step_s, 1 + (16 * bar + at + 1.8) * step_s, pitch, 60, 1.0, t, "left")
        for bar in range(bars)
        for at, pitches in pattern.items()
        for pitch in pitches
        for t in [1 + (16 * bar + at) * step_s]
    ]
    return left + melody(16 * right_bars, step_s, 4, 67)


ALBERTI = {0: (36,), 2: (43,), 4: (40,), 6: (43,), 8: (36,), 10: (43,), 12: (40,), 14: (43,)}
WALTZ_LIKE = {0: (41,), 4: (53, 57), 8: (41,), 12: (53, 57)}


def positions(sends: list[Send], first: int) -> Counter[int]:
    steps = [round((send.due_s - 1.0) / 0.125) for send in sends if send.kind == "note_on"]
    return Counter(step % 16 for step in steps if step >= first)


@pytest.mark.parametrize("pattern", [ALBERTI, WALTZ_LIKE])
def test_it_goes_on_in_the_manner_of_the_player_s_left_hand(pattern: dict[int, tuple[int, ...]]) -> None:
    hand = LeftHand(Accompanist(EchoNet(2)))
    sends = played(hand, both_hands(4, pattern, 12), grid(16 * 12))
    onsets = [send.due_s for send in sends if send.kind == "note_on"]
    assert onsets[0] >= 1 + 64 * 0.125
    assert onsets[0] <= 1 + 80 * 0.125
    struck = positions(sends, 80)
    assert set(pattern) <= set(struck)
    assert all(at in pattern or at % 4 == 0 for at in struck)


def test_it_goes_on_where_the_player_s_hand_lay() -> None:
    def lowest(pattern: dict[int, tuple[int, ...]]) -> float:
        sends = played(LeftHand(Accompanist(EchoNet(2))), both_hands(4, pattern, 12), grid(16 * 12))
        return float(np.mean([send.pitch for send in sends if send.kind == "note_on"]))

    assert lowest({at: tuple(p - 5 for p in pitches) for at, pitches in ALBERTI.items()}) < lowest(
        {at: tuple(p + 12 for p in pitches) for at, pitches in ALBERTI.items()}
    )


def test_a_player_who_takes_over_again_is_left_alone() -> None:
    again = [
        replace(n, onset_s=n.onset_s + 12, offset_s=n.offset_s + 12, decided_s=n.decided_s + 12)  # type: ignore[operator]
        for n in both_hands(3, WALTZ_LIKE, 3)
        if n.hand == "left"
    ]
    hand = LeftHand(Accompanist(FixedNet()))
    sends = played(hand, melody(16 * 16, 0.125, 4, 67) + again, grid(16 * 16))
    onsets = [send.due_s for send in sends if send.kind == "note_on"]
    assert any(at < 13 for at in onsets) and any(at > 20 for at in onsets)
    assert not [at for at in onsets if 14.0 <= at <= 18.5]


def test_one_who_wants_both_is_not_silenced() -> None:
    hand = LeftHand(Accompanist(FixedNet()), Steering(yields=False))
    sends = played(hand, both_hands(8, WALTZ_LIKE, 8), grid(16 * 8))
    assert any(send.due_s < 6 for send in sends if send.kind == "note_on")


def test_a_single_low_note_silences_nothing() -> None:
    lone = Note(7.0, 7.3, 40, 70, 1.0, 7.0, "left")
    with_it, without = (
        played(LeftHand(Accompanist(FixedNet())), melody(160, 0.125, 4) + extra, grid(160)) for extra in ([lone], [])
    )
    assert with_it == without


def test_what_may_be_its_own_sound_is_not_the_player_s() -> None:
    """Octaves of its own keys, told as the left hand's at every step, change nothing."""
    hand, steps = LeftHand(Accompanist(FixedNet()), Steering("sustained")), grid(160)
    for note in melody(160, 0.125, 4):
        hand.hear(note)
    struck = 0
    for step in steps:
        struck += len(hand.play(step).strikes)
        for key in list(hand._fingers.down):
            at = step.time_s + 0.05
            hand.hear(Note(at, at + 0.1, key - 12, 60, 1.0, at, "left"))
    assert struck >= 9
