"""The times at which the left hand strikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.harmony import Chord
from device.left_hand.texture import NOTHING, Gesture, Texture

C_MAJOR = Chord((0, 4, 7), "C")


def plan(**changes: object) -> Plan:
    usual = Plan(
        silent=False,
        chord=C_MAJOR,
        classes=np.full(12, 0.3, np.float32),
        bass=np.full(13, 1 / 13, np.float32),
        strike_bass=0.1,
        strike_upper=0.2,
        strike_many=0.0,
        ceiling=72,
        top=76,
        velocity=80.0,
        lock=1.0,
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def steps(number: int, meter: str = "4/4") -> list[Step]:
    felt = Meter.parse(meter)
    return [Step(i, i * 0.125, 0.125, i % felt.steps_per_bar, felt, 1.0) for i in range(number)]


def gestures(texture: Texture, plans: list[Plan], meter: str = "4/4") -> list[Gesture]:
    return [texture.at(p, s) for p, s in zip(plans, steps(len(plans), meter), strict=True)]


def test_it_begins_with_a_bass() -> None:
    assert gestures(Texture(), [plan(strike_bass=0.0)])[0].bass


def test_silence_strikes_nothing() -> None:
    assert gestures(Texture(), [plan(silent=True, strike_bass=1.0)] * 16) == [NOTHING] * 16


@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4", "6/8", "5/4"])
def test_nothing_is_held_for_more_than_four_beats(meter: str) -> None:
    struck = [gesture.any for gesture in gestures(Texture(), [plan(strike_bass=0.0, strike_upper=0.0)] * 120, meter)]
    gaps = np.diff(np.flatnonzero(struck))
    assert gaps.max() <= 4 * Meter.parse(meter).steps_per_beat


def test_a_new_chord_is_struck_on_its_beat() -> None:
    quiet = plan(strike_bass=0.0, strike_upper=0.0)
    played = gestures(Texture(), [quiet] * 8 + [replace(quiet, chord=Chord((5, 9, 0), "F"))] * 4)
    assert played[8].bass
    assert not any(gesture.any for gesture in played[9:])


def test_it_strikes_where_the_net_says_and_about_as_often() -> None:
    rng = np.random.default_rng(0)
    on_beat = [0.8 if i % 4 == 0 else 0.05 for i in range(256)]
    off_beat = [0.55 if i % 4 == 2 else 0.05 for i in range(256)]
    plans = [
        plan(strike_bass=b * rng.uniform(0.9, 1.1), strike_upper=u * rng.uniform(0.9, 1.1))
        for b, u in zip(on_beat, off_beat, strict=True)
    ]
    played = gestures(Texture(), plans)
    basses = [i for i, gesture in enumerate(played) if gesture.bass]
    uppers = [i for i, gesture in enumerate(played) if gesture.upper]
    assert all(i % 4 == 0 for i in basses) and 0.7 < len(basses) / sum(on_beat) < 1.5
    assert all(i % 4 == 2 for i in uppers) and 0.7 < len(uppers) / sum(off_beat) < 1.5


def test_twice_the_density_plays_more() -> None:
    plans = [plan(strike_bass=0.3 if i % 4 == 0 else 0.1, strike_upper=0.2) for i in range(256)]
    sparse, dense = (sum(gesture.any for gesture in gestures(Texture(d), plans)) for d in (0.7, 2.0))
    assert sparse < dense


def test_it_thins_out_when_lock_is_low() -> None:
    busy = [plan(strike_bass=0.5, strike_upper=0.6, lock=lock) for lock in [0.5] * 64]
    played = gestures(Texture(), busy)
    assert all(i % 4 == 0 for i, gesture in enumerate(played) if gesture.any)
    lost = gestures(Texture(), [replace(p, lock=0.1) for p in busy])
    assert not any(gesture.upper for gesture in lost)
    assert any(gesture.bass for gesture in lost)


def test_the_same_plans_give_the_same_touches() -> None:
    plans = [plan(strike_bass=0.3 * (i % 3), strike_upper=0.2 * (i % 4)) for i in range(64)]
    texture = Texture()
    first = gestures(texture, plans)
    texture.reset()
    assert gestures(texture, plans) == first
