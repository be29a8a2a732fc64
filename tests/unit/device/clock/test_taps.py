"""Tempo taps that come too close together: a switch that bounces, and taps that a network held back."""

from __future__ import annotations

import pytest

from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.step import Clock
from device.following.follow_clock import FollowClock

FOUR = Meter(4, 4)


def beat_times(clock: Clock, until_s: float) -> list[float]:
    """Return the times of the beats that `clock` gives up to `until_s`."""
    beats: list[float] = []
    for hop in range(round(until_s / 0.016)):
        while (step := clock.due(hop * 0.016)) is not None:
            beats += [step.time_s] if step.is_beat else []
    return beats


@pytest.mark.parametrize("apart_s", [0.0, 1e-5, 0.001, 0.03])
@pytest.mark.parametrize("clock", [FixedClock(90, FOUR), FollowClock(FOUR)])
def test_four_taps_that_come_together_are_no_count_in(clock: Clock, apart_s: float) -> None:
    clock.reset()
    for i in range(4):
        clock.tap(2.0 + i * apart_s)
    assert not beat_times(clock, 6.0)


@pytest.mark.parametrize("clock", [FixedClock(90, FOUR), FollowClock(FOUR)])
def test_a_switch_that_bounces_taps_the_beat_all_the_same(clock: Clock) -> None:
    clock.reset()
    for i in range(4):
        clock.tap(1.0 + i * 0.5)
        clock.tap(1.0 + i * 0.5 + 0.02)
    beats = beat_times(clock, 5.0)
    assert beats[:4] == pytest.approx([3.0, 3.5, 4.0, 4.5], abs=0.02)


@pytest.mark.parametrize("apart_s", [0.061, 0.08, 0.094])
def test_notes_right_after_taps_that_are_faster_than_any_beat_are_heard(apart_s: float) -> None:
    clock, beats = FollowClock(FOUR), 0
    for i in range(4):
        clock.tap(1.0 + i * apart_s)
    onsets_s = [1.0 + 3 * apart_s + 0.062 + i * 0.5 for i in range(10)]
    for hop in range(round(1.0 / 0.016), round(5.0 / 0.016)):
        while onsets_s and onsets_s[0] + 0.03 <= hop * 0.016:
            clock.hear(onsets_s[0], hop * 0.016, 60 + len(onsets_s))
            del onsets_s[0]
        while (step := clock.due(hop * 0.016)) is not None:
            beats += step.is_beat
    assert beats > 5
