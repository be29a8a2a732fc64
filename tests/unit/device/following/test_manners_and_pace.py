"""The following clock when a steady player speeds up or slows down through a rest, and when nobody counts in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from device.clock.meter import Meter
from device.following.follow_clock import FollowClock
from device.following.manners import FLEXIBLE, MANNERS, SLOWING, UNEVEN, Ways, drifted
from device.following.pace import LONGEST_S, Pace

FOUR = Meter(4, 4)
HOP_S = 0.016
TUNE = (60, 62, 64, 65, 67, 65, 64, 62)
BROKEN_CHORDS = (60, 64, 67, 72, 76, 67, 72, 76)


def beats_told(clock: FollowClock, notes: list[tuple[float, int]]) -> npt.NDArray[np.float64]:
    """The times in seconds of the beats that the clock tells to notes that come by MIDI."""
    waiting, told = list(notes), []
    for now_s in np.arange(0, notes[-1][0] + 1, HOP_S):
        while waiting and waiting[0][0] <= now_s:
            clock.hear(waiting[0][0], waiting[0][0], waiting.pop(0)[1])
        while (step := clock.due(float(now_s))) is not None:
            told += [step.time_s] if step.is_beat else []
    return np.array(told)


@pytest.mark.parametrize("change", [0.15, -0.15])
def test_the_tempo_goes_on_changing_through_a_rest_of_four_beats(change: float) -> None:
    beats = np.arange(-4, 44)
    beats_s = 3 + np.cumsum(0.5 / (1 + change * np.clip((beats - 12) / 16, 0, 1)))
    rest_s, back_s = beats_s[30], beats_s[34]
    worst = []
    for seed in range(8):
        even_s = np.array(sorted([*beats_s, *((beats_s[4:-1] + beats_s[5:]) / 2)]))
        onsets_s = np.sort(even_s + np.random.default_rng(seed).normal(0, 0.02, len(even_s)))
        onsets_s = onsets_s[(onsets_s < rest_s + 0.05) | (onsets_s > back_s - 0.05)]
        told_s = beats_told(FollowClock(FOUR, 4), [(float(t), TUNE[i % 8]) for i, t in enumerate(onsets_s)])
        resting_s = told_s[(told_s > rest_s - 0.1) & (told_s < back_s + 0.1)]
        worst.append(max(float(np.abs(beats_s - t).min()) for t in resting_s))
    assert np.median(worst) < 0.05


@pytest.mark.parametrize("beat_s", [0.36, 0.6, 1.0])
def test_sixteenths_without_a_count_in_are_not_taken_for_other_notes(beat_s: float) -> None:
    for seed in range(2):
        rng = np.random.default_rng(seed)
        notes = [
            (float(1 + i * beat_s / 4 + rng.normal(0, 0.01)), BROKEN_CHORDS[i % 8] + (0 if (i // 16) % 2 else 2))
            for i in range(160)
        ]
        last_s = beats_told(FollowClock(FOUR, 0), notes)[-12:]
        assert np.median(np.diff(last_s)) == pytest.approx(beat_s, rel=0.03)


def test_the_pace_of_quick_notes_is_a_quick_quarter_and_few_notes_are_no_slow_one() -> None:
    quick, slow, long_beat = Pace(1.0), Pace(1.0), Pace(2.0)
    for _ in range(20):
        quick_s, slow_s, long_s = quick.hear(0.08), slow.hear(0.9), long_beat.hear(0.08)
    assert 0.25 < quick_s < 0.45
    assert slow_s == LONGEST_S
    assert long_s < quick_s
    assert quick.hear(30.0) == quick_s


def test_a_player_with_rubato_is_not_taken_for_one_who_drifts() -> None:
    ways = Ways()
    for table in (ways.steady, ways.any):
        chance = table[3, :, :MANNERS]
        assert (chance[SLOWING:MANNERS, :UNEVEN] == 0).all()
        assert chance.sum(0) == pytest.approx(np.ones(MANNERS))
    assert (ways.steady[3, SLOWING:MANNERS, UNEVEN] > 0).all()
    assert (ways.any[3, SLOWING:MANNERS] == 0).all()
    assert ways.table is ways.steady
    for _ in range(100):
        ways.hear(np.array([0.9, 0.1]), np.array([FLEXIBLE, UNEVEN]))
    assert ways.table is ways.any
    for _ in range(100):
        ways.hear(np.array([0.9, 0.1]), np.array([SLOWING, FLEXIBLE]))
    assert ways.table is ways.steady


def test_a_drift_adds_up_and_ends_after_a_while() -> None:
    assert drifted(np.array([0.0, 2.0, 4.0])) == pytest.approx([0.0, 2.0, 8.0])
    assert drifted(np.array([9.0])) - drifted(np.array([8.0])) == pytest.approx([8.0])
