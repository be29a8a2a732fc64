"""Velocities: bass, inner and top keys differ, accents follow the metre, and the hand follows the player's dynamics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.touch import SOFTEST, Touch

KEYS = (40, 47, 52)


def plan(velocity: float = 80.0, lock: float = 1.0) -> Plan:
    nothing = np.zeros(13, np.float32)
    return Plan(False, None, nothing[:12], nothing, 0.0, 0.0, 0.0, 60, 72, velocity, lock)


def step(position: int, meter: str = "4/4") -> Step:
    return Step(position, position * 0.125, 0.125, position, Meter.parse(meter), 1.0)


def mean_of(keys: tuple[int, ...], given_plan: Plan, at: Step, strikes: int = 400) -> np.ndarray:
    touch = Touch()
    return np.mean([touch.at(keys, given_plan, at) for _ in range(strikes)], axis=0)


def test_the_keys_of_a_strike_differ_and_the_top_is_the_loudest_on_average() -> None:
    assert len(set(Touch().at(KEYS, plan(100.0), step(4)))) > 1
    lowest, inner, highest = mean_of(KEYS, plan(100.0), step(4), 4000)
    assert highest > lowest and highest > inner


@pytest.mark.parametrize("meter", ["3/4", "4/4", "6/8"])
def test_a_strike_on_a_beat_is_louder_than_one_between_beats(meter: str) -> None:
    off = mean_of((40,), plan(), step(1, meter))
    beat = Meter.parse(meter).steps_per_beat
    assert mean_of((40,), plan(), step(0, meter)) > off
    assert mean_of((40,), plan(), step(beat, meter)) > off


def test_the_hand_follows_the_player_and_is_softer_when_the_beat_is_unsure() -> None:
    assert (mean_of(KEYS, plan(100.0), step(0)) > mean_of(KEYS, plan(60.0), step(0)) + 25).all()
    assert (mean_of(KEYS, plan(lock=0.1), step(0)) < 0.85 * mean_of(KEYS, plan(), step(0))).all()


def test_the_same_seed_gives_the_same_velocities_and_another_does_not() -> None:
    def play(touch: Touch) -> list[list[int]]:
        return [touch.at(KEYS, plan(), step(i)) for i in range(16)]

    touch = Touch(3)
    first = play(touch)
    assert play(Touch(3)) == first != play(Touch(4))
    touch.reset()
    assert play(touch) == first


@given(
    velocity=st.floats(1, 127),
    lock=st.floats(0, 1),
    position=st.integers(0, 15),
    keys=st.lists(st.integers(28, 67), max_size=5, unique=True).map(sorted),
)
def test_every_velocity_is_midi_s_and_softer_than_the_player(
    velocity: float, lock: float, position: int, keys: list[int]
) -> None:
    found = Touch().at(keys, plan(velocity, lock), step(position))
    assert len(found) == len(keys)
    assert all(SOFTEST <= value <= max(SOFTEST, int(velocity) - 1) for value in found)
