"""The chord net: its inputs, and answers that move with the key of the music."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.chord_net import (
    HEADS,
    PLACE_NAMES,
    Answer,
    ChordNet,
    half_bar,
    half_beat,
    heard_inputs,
    place_inputs,
    shipped_arrays,
)


def at(index: int, meter: Meter) -> Step:
    return Step(index, index * 0.125, 0.125, index % meter.steps_per_bar, meter, 1.0)


def answers(up: int) -> list[Answer]:
    """The net's answers to C, E, G, C, one key a half beat, moved up by `up` semitones."""
    net, meter = ChordNet(shipped_arrays()), Meter(4, 4)
    found = []
    for i, key in enumerate((60, 64, 67, 72)):
        now = 2 * (i + 1)
        notes = np.array([now - 2]), np.array([now]), np.array([key + up])
        found.append(net.at(heard_inputs(*notes, now, 2), place_inputs(at(now, meter), 0, 0)))
    return found


def test_the_inputs_name_what_sounds_in_the_half_beat_before() -> None:
    # C4 is held, E5 begins on the half beat, and G4 one step later
    x = heard_inputs(np.array([0, 4, 5]), np.array([9, 6, 6]), np.array([60, 76, 67]), 6, 2)
    assert x[0, [0, 4, 7]].tolist() == [1.0, 1.0, 0.5]
    assert np.flatnonzero(x[1]).tolist() == [4] and np.flatnonzero(x[2]).tolist() == [7]
    assert x[3, 4] == 1.0 and x[4, 0] == 1.0
    assert np.flatnonzero(x[5]).tolist() == [0, 4, 7]


def test_an_onset_just_before_the_half_beat_still_counts_because_it_may_have_been_heard_late() -> None:
    assert heard_inputs(np.array([3]), np.array([6]), np.array([62]), 6, 2)[2, 2] == 1.0
    assert not heard_inputs(np.array([2]), np.array([6]), np.array([62]), 6, 2)[1:3].any()


def test_the_place_has_one_beat_one_bar_and_one_metre() -> None:
    x = dict(zip(PLACE_NAMES, place_inputs(at(12, Meter(3, 4)), 5, 0), strict=True))
    assert x["beat 0"] == x["bar line"] == x["half bar"] == x["bar 1 of 4"] == x["metre 12/4"] == 1.0
    assert x["silent"] == x["half beat"] == 0.0 and x["age"] == 1.0
    silent = dict(zip(PLACE_NAMES, place_inputs(at(14, Meter(3, 4)), 5, 4), strict=True))
    assert silent["half beat"] == silent["silent"] == 1.0 and 0.0 < silent["age"] < 1.0


@pytest.mark.parametrize(("meter", "beat", "bar"), [("4/4", 2, 8), ("3/4", 2, 12), ("2/4", 2, 4), ("6/8", 3, 12)])
def test_half_beats_and_half_bars_are_counted_in_steps(meter: str, beat: int, bar: int) -> None:
    step = at(0, Meter.parse(meter))
    assert (half_beat(step), half_bar(step)) == (beat, bar)


@pytest.mark.parametrize("up", [1, 5, 11])
def test_music_in_another_key_gets_the_same_chords_in_that_key(up: int) -> None:
    for here, there in zip(answers(0), answers(up), strict=True):
        for name, number in HEADS:
            before = getattr(here, name).reshape(number, 12)
            np.testing.assert_allclose(np.roll(before, up, axis=1).ravel(), getattr(there, name), atol=2e-4)


def test_a_broken_triad_of_c_is_heard_as_c_major() -> None:
    last = answers(0)[-1]
    assert int(np.argmax(last.triads)) == 0 and int(np.argmax(last.hindsight)) == 0
    for name, _ in HEADS:
        assert np.exp(getattr(last, name)).sum() == pytest.approx(1.0, abs=1e-4)
