"""After a ritardando the tonic that the player holds is taken for the last note a beat later, and not a bar later."""

from __future__ import annotations

from bisect import bisect_left

import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.events import Note
from device.left_hand.accompanist import Accompanist
from device.left_hand.player import LeftHand
from device.left_hand.slowing import Slowing
from device.settings.choices import STYLES, Steering, Style
from tests.unit.helpers.nets import FixedNet
from tests.unit.helpers.steps_and_tunes import played
from training.playing_figures.playable import rows_of

SCALE = (60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 67, 65, 64, 62, 59, 62)
LAST, HELD = 64, 24
"""Step of the last note, and the steps for which it is held."""


def slowing(by: float) -> list[Step]:
    """Steps of 4/4 whose length grows by this share over the last bar before the last note, and stays so."""
    steps, time_s = [], 1.0
    for i in range(LAST + 48):
        length_s = 0.125 * (1 + by * min(max(i - 48, 0) / 16, 1.0))
        steps.append(Step(i, time_s, length_s, i % 16, Meter(4, 4), 1.0))
        time_s += length_s
    return steps


def last_strikes(by: float, last: int = 72, style: Style = "auto", more: int | None = None) -> list[tuple[int, int]]:
    """The steps and keys of the strikes from the last note on, counted from it.

    With `more`, the player goes on so many steps after the last note.
    """
    steps = slowing(by)
    tune = [(4 * i, 4, key + 12) for i, key in enumerate(SCALE)] + [(LAST, HELD if more is None else more, last)]
    if more is not None:
        tune += [(LAST + more + 4 * i, 4, 79) for i in range(4)]
    notes = [
        Note(steps[at].time_s, steps[at + long].time_s - 0.02, key, 80, 1.0, steps[at].time_s, "right")
        for at, long, key in tune
    ]
    times = [step.time_s for step in steps]
    rows = rows_of(played(LeftHand(Accompanist(FixedNet((0, 4, 7))), Steering(style, key="C major")), notes, steps))
    found = [(bisect_left(times, on - 1e-6) - LAST, int(key)) for on, _, key in rows]
    return [(at, key) for at, key in found if at >= 0]


@pytest.mark.parametrize("style", STYLES)
def test_after_a_ritardando_the_tonic_chord_follows_a_beat_later_and_nothing_after_it(style: Style) -> None:
    found = last_strikes(0.6, style=style)
    final = [key for at, key in found if at == 4]
    assert max(at for at, _ in found) == 4
    assert min(final) % 12 == 0 and {key % 12 for key in final} <= {0, 4, 7}


def test_in_a_steady_tempo_the_hand_plays_on_for_a_bar() -> None:
    assert max(at for at, _ in last_strikes(0.0)) == 16
    assert max(at for at, _ in last_strikes(0.1)) >= 16


def test_another_tone_of_the_chord_is_not_taken_for_the_end_so_soon() -> None:
    assert max(at for at, _ in last_strikes(0.6, last=76)) > 4


def test_if_the_player_goes_on_so_does_the_left_hand() -> None:
    assert max(at for at, _ in last_strikes(0.6, more=12)) > 12


def test_a_new_tempo_is_the_usual_one_after_some_bars() -> None:
    told = Slowing()
    for step in slowing(0.6):
        told.at(step)
    assert told.now
    for i in range(200):
        told.at(Step(i, i * 0.2, 0.2, i % 16, Meter(4, 4), 1.0))
    assert not told.now
