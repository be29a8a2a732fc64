"""Whether a player who did not count in keeps an even tempo, and what the clock makes of one who plays exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following.bank import HypothesisBank
from device.following.even_tempo import EvenTempo
from device.following.follow_clock import FollowClock
from device.following.grid_frame import LEVELS
from device.following.grid_net import GridNet
from device.following.hypotheses import SLOW_ONSETS_S
from device.following.manners import FREE, IN_TIME, UNEVEN
from device.following.next_onset import QUARTER, SIXTEENTH

ONSETS = 150
HOP_S = 0.016
RHYTHM = (4, 2, 2, 4, 3, 1, 4, 2, 2, 2, 2, 8, 4, 2, 2, 4, 4, 3, 1, 4, 2, 2, 6, 2)
"""Sixteenths of the notes of a tune, which is repeated."""
KEYS = (67, 64, 65, 67, 69, 67, 65, 64, 62, 64, 65, 67, 72, 71, 69, 67, 67, 65, 64, 62, 64, 65, 60, 62)


def led_by(manner: int) -> HypothesisBank:
    """A bank with one hypothesis, of this manner."""
    one = np.array([0.5]), np.array([0]), np.array([manner]), np.array([1.0])
    return HypothesisBank.new(1.0, *one, (1e-4, 1e-4), SIXTEENTH)


def even_after(beats_s: Sequence[float], manner: int) -> bool:
    tempo, bank = EvenTempo(), led_by(manner)
    for beat_s in beats_s:
        tempo.hear(beat_s, 0.3, bank)
    return tempo.is_even


def test_an_exact_player_of_one_tempo_keeps_an_even_tempo() -> None:
    exact = np.random.default_rng(1).normal(0.5, 0.004, ONSETS).tolist()
    assert even_after(exact, IN_TIME)


def test_a_player_whose_beat_bends_does_not_keep_an_even_tempo() -> None:
    bends = 0.5 * (1 + 0.06 * np.sin(np.arange(ONSETS) / 8))
    assert not even_after(bends.tolist(), IN_TIME)


def test_a_free_player_does_not_keep_an_even_tempo_although_the_beat_stays() -> None:
    assert not even_after([0.5] * ONSETS, FREE)


def test_an_uneven_player_keeps_an_even_tempo_as_before() -> None:
    bends = 0.5 * (1 + 0.06 * np.sin(np.arange(ONSETS) / 8))
    assert even_after(bends.tolist(), UNEVEN)


def test_a_grid_that_begins_again_with_another_beat_is_no_change_of_tempo() -> None:
    assert even_after([0.5] * 60 + [0.8] * 60 + [0.5] * 30, IN_TIME)


def test_onsets_without_a_grid_do_not_change_the_spread() -> None:
    assert even_after([0.5] * 100 + [0.0] * 20, IN_TIME)


def beats_of_an_exact_player(beat_s: float, seed: int, factor: float = 1.0) -> tuple[FollowClock, list[float]]:
    """Play the tune five times with errors of 8 ms, without a count-in. Return the clock and the beats it gave."""
    rng, clock, beats = np.random.default_rng(seed), FollowClock(Meter.parse("4/4"), 0), list[float]()
    at_s, now_s = 1.0, 0.0
    for sixteenths, key in zip(RHYTHM * 5, KEYS * 5, strict=True):
        onset_s = at_s + float(rng.normal(0, 0.008))
        while now_s < onset_s:
            now_s += HOP_S
            while (step := clock.due(now_s)) is not None:
                beats += [step.time_s] if step.is_beat else []
        clock.hear(onset_s, onset_s, key)
        at_s += factor * sixteenths * beat_s / 4
    return clock, beats


@pytest.mark.parametrize("seed", range(3))
def test_the_beat_of_an_exact_player_of_a_tune_is_not_taken_for_half_of_it(seed: int) -> None:
    clock, beats = beats_of_an_exact_player(0.52, seed)
    assert clock._hypotheses.keeps_time
    assert not clock._hypotheses.ways.is_steady
    assert np.median(np.diff(beats[-16:])) == pytest.approx(0.52, rel=0.04)


def test_the_net_does_not_judge_an_exact_player_of_many_notes() -> None:
    clock, _ = beats_of_an_exact_player(0.52, 0, factor=0.5)
    pace = clock._hypotheses._pace
    assert pace is not None
    assert pace.usual_gap_s < SLOW_ONSETS_S
    assert not clock._hypotheses.keeps_time


def test_a_count_in_leaves_the_judgement_to_the_manners() -> None:
    clock = FollowClock(Meter.parse("4/4"), 4)
    for i in range(60):
        clock.hear(i * 0.5, i * 0.5, 72)
    assert not clock._hypotheses._even_and_slow
    assert clock._hypotheses.keeps_time == clock._hypotheses.ways.is_steady


def test_the_net_tells_how_likely_a_length_of_the_beat_is() -> None:
    clock, _ = beats_of_an_exact_player(0.52, 0)
    net = clock._hypotheses.grid
    assert net is not None
    true, double, neither = (net.tempo_share(beat_s) for beat_s in (0.52, 1.04, 0.52 * 1.19))
    assert true is not None
    assert double is not None
    assert true > 2 * double
    assert neither == pytest.approx(0, abs=1e-6)
    shares = [net.tempo_share(net.beat_s * level) or 0.0 for level in LEVELS.tolist()]
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert GridNet(Meter.parse("4/4"), QUARTER, 4 * QUARTER).tempo_share(0.5) is None
