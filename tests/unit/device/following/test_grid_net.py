"""The net that judges tempo and place of the beat together, and the grid that it keeps."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following import grid_net
from device.following.bank import QUARTER_S, TICK, TIME, WEIGHT, HypothesisBank
from device.following.follow_clock import FollowClock
from device.following.grid_features import LAGS, MELODY, OF_ONSET, GridFeatures
from device.following.grid_frame import LEVELS, LOST, GridFrame
from device.following.grid_net import AFTER, FEW, FIRST, PLACES, SURELY_STEADY, GridNet
from device.following.next_onset import QUARTER, SIXTEENTH

RHYTHM = (4, 2, 2, 4, 3, 1, 4, 2, 2, 2, 2, 8, 4, 2, 2, 4, 4, 3, 1, 4, 2, 2, 6, 2)
"""Sixteenths of the notes of a tune, which is repeated."""
KEYS = (67, 64, 65, 67, 69, 67, 65, 64, 62, 64, 65, 67, 72, 71, 69, 67, 67, 65, 64, 62, 64, 65, 60, 62)
BEAT_S = 0.6
BAR = 4 * QUARTER


def grids(at_s: float, *grid: tuple[float, float, float]) -> HypothesisBank:
    """A bank about an onset at `at_s`, with a hypothesis for each beat in seconds, place in beats, and weight."""
    beat_s, place, weight = (np.array(column) for column in zip(*grid, strict=True))
    tick = np.rint(place * QUARTER).astype(np.int64) % BAR
    return HypothesisBank.new(at_s, beat_s, tick, np.ones(len(grid), np.int64), weight, (1e-4, 1e-4), SIXTEENTH)


def heard(
    steady: bool, off: float, factor: float = 1.0, alone: bool = False, onsets: int = 4 * len(RHYTHM)
) -> tuple[GridNet, HypothesisBank, HypothesisBank, float]:
    """Play `onsets` onsets of the tune, which repeats, while a grid leads that is some beats off, or has a longer beat.

    The true grid has a small weight, or none if the other one is `alone`. Return the net, the last bank before and
    after it, and the time.
    """
    net, before = GridNet(Meter.parse("4/4"), QUARTER, BAR), frozenset[int]()
    place = np.append(0, np.cumsum(RHYTHM * 4))[:-1] / 4
    for at, key in zip(place.tolist()[:onsets], KEYS * 4, strict=False):
        at_s = 1 + at * BEAT_S
        wrong, true = (BEAT_S * factor, at / factor + off, 0.9), (BEAT_S, at, 0.1)
        bank = grids(at_s, wrong) if alone else grids(at_s, wrong, true)
        after = net.hear(at_s, before, bank, steady)
        before = frozenset({key})
    return net, bank, after, at_s


@pytest.mark.parametrize(("off", "factor"), [(0.5, 1.0), (0.25, 1.0), (0.0, 2.0), (0.0, 0.5)])
def test_the_true_grid_of_a_plain_tune_gains_weight(off: float, factor: float) -> None:
    net, bank, after, at_s = heard(True, off, factor)
    wrong, true = net.shares(bank, at_s)
    assert true > 5 * wrong
    found = after.real[QUARTER_S] == BEAT_S
    found &= after.whole[TICK] == bank.whole[TICK, 1]
    assert after.real[WEIGHT, found].sum() > 0.11
    assert after.real[WEIGHT].sum() == pytest.approx(1)
    assert (np.diff(after.real[WEIGHT]) <= 0).all()


def test_the_weights_of_a_player_who_is_not_steady_stay() -> None:
    _, bank, after, _ = heard(False, 0.5)
    assert after is bank


def test_the_weights_stay_until_enough_onsets_were_judged() -> None:
    # AFTER later onsets must be known, and each one counts a little less than the next
    early, late = (heard(True, 0.5, onsets=onsets) for onsets in (int(FIRST) + AFTER + 1, 2 * int(FIRST)))
    assert early[2] is early[1]
    assert late[2] is not late[1]


def test_two_onsets_judged_together_are_judged_as_each_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    together = heard(True, 0.5)[0].posterior
    monkeypatch.setattr(grid_net, "AT_ONCE", 1)
    monkeypatch.setattr(grid_net, "_ROWS", np.arange(len(LEVELS))[:, None] * PLACES)
    alone = heard(True, 0.5)[0].posterior
    assert together is not None
    assert alone is not None
    assert together == pytest.approx(alone, abs=1e-4)


def test_the_posterior_has_no_number_that_is_slow_to_multiply() -> None:
    posterior = heard(True, 0.5)[0].posterior
    assert posterior is not None
    assert posterior.min() > 1e-20


def test_the_true_grid_of_a_steady_player_has_good_odds_and_a_wrong_one_bad_odds() -> None:
    net, bank, _, _ = heard(True, 0.5)
    wrong, true = (bank.chosen(np.array([i])) for i in (0, 1))
    odds = net.log_odds(true, SURELY_STEADY + 0.01), net.log_odds(wrong, SURELY_STEADY + 0.01)
    assert odds[0] is not None
    assert odds[1] is not None
    assert odds[0] > 0 > odds[1]
    assert net.log_odds(true, SURELY_STEADY) is None
    assert heard(True, 0.5, onsets=8)[0].log_odds(true, 1.0) is None


def test_the_true_grid_is_added_if_no_hypothesis_has_it() -> None:
    _, bank, after, at_s = heard(True, 0.5, alone=True)
    assert len(after) == len(bank) + 1
    new = int(after.real[WEIGHT].argmin())
    assert FEW < after.real[WEIGHT, new] < 0.2
    assert after.real[QUARTER_S, new] == pytest.approx(BEAT_S, rel=0.01)
    place = after.whole[TICK, new] / QUARTER + (at_s - after.real[TIME, new]) / after.real[QUARTER_S, new]
    true = bank.whole[TICK, 0] / QUARTER - 0.5
    assert (place - true + 0.5) % 1 - 0.5 == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("level", [0.5, 1.5, 2.0])
def test_the_frame_keeps_its_grid_when_another_one_leads(level: float) -> None:
    frame = GridFrame()
    for i in range(20):
        frame.hear(0.3, (0.6, i * 0.5))
    for i in range(20, 40):
        assert not frame.hear(0.3, (0.6 * level, i * 0.5 / level + 0.3))
    assert frame.beat_s == pytest.approx(0.6)
    assert frame.place == pytest.approx(19.5)


def test_the_frame_follows_the_leader_but_not_a_leap() -> None:
    frame = GridFrame()
    frame.hear(0.0, (0.6, 0.0))
    frame.hear(0.31, (0.61, 0.5))
    assert frame.place == pytest.approx(0.5)
    frame.hear(0.305, (0.61, 1.25))
    assert frame.place == pytest.approx(1.0)


def test_the_frame_begins_again_if_no_level_fits_for_some_onsets() -> None:
    frame = GridFrame()
    frame.hear(0.0, (0.6, 0.0))
    assert [frame.hear(0.5, (0.7, 3.0)) for _ in range(LOST)] == [False] * (LOST - 1) + [True]
    assert (frame.beat_s, frame.place) == (0.7, 3.0)


def test_features_tell_fresh_notes_and_repeats() -> None:
    features = GridFeatures()
    chords = [frozenset({60, 64}), frozenset({67}), frozenset({60, 64}), frozenset({61, 65})]
    rows = [features.hear(chord) for chord in chords]
    assert all(row.shape == (OF_ONSET,) for row in rows)
    fresh = [int(row[MELODY : MELODY + 3].argmax()) for row in rows]
    assert fresh == [2, 1, 0, 2]
    repeats = [row[MELODY + 6 : MELODY + 6 + len(LAGS)] for row in rows]
    assert repeats[2].tolist() == [0, 1, 0, 0, 0, 0]
    assert not repeats[3].any()


def grid_of(clock: FollowClock) -> GridNet | None:
    """The net of the clock after an even tune on changing keys."""
    for i in range(8):
        clock.hear(1 + 0.5 * i, 1 + 0.5 * i, 60 + i % 4)
    return clock._hypotheses.grid


def test_the_net_hears_only_a_player_who_gave_no_tempo() -> None:
    meter = Meter.parse("4/4")
    assert grid_of(FollowClock(meter, 0)) is not None
    assert grid_of(FollowClock(meter, 0, tempo=120)) is None
    assert grid_of(FollowClock(meter, 4)) is None
    tapped = FollowClock(meter, 0)
    grid_of(tapped)
    for i in range(4):
        tapped.tap(6 + 0.5 * i)
    assert tapped._hypotheses.grid is None
