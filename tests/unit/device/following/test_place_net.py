"""The net that judges at which sixteenth of the beat the player's notes lie."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following.heard_onsets import Classes, Onset
from device.following.hypotheses import Hypotheses
from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.place_net import FEATURES, GAP_BINS, SEEN, PlaceNet, gap_shares, melody_features

RHYTHM = (4, 2, 2, 4, 3, 1, 4, 2, 2, 2, 2, 8, 4, 2, 2, 4, 4, 3, 1, 4, 2, 2, 6, 2)
"""Sixteenths of the notes of a tune, which is repeated. It takes 72 sixteenths."""
KEYS = (67, 64, 65, 67, 69, 67, 65, 64, 62, 64, 65, 67, 72, 71, 69, 67, 67, 65, 64, 62, 64, 65, 60, 62)
BEAT_S = 0.6


def heard(shift: int, net: PlaceNet | None = None, times: int = 4, beat_s: float = BEAT_S) -> PlaceNet:
    """A net that has heard the tune on a grid that is some sixteenths behind the true one."""
    net = net or PlaceNet(QUARTER)
    place = np.append(0, np.cumsum(RHYTHM * times))[:-1]
    before = KEYS[0], 1
    for at, key in zip(place.tolist(), KEYS * times, strict=True):
        net.hear(1 + at * beat_s / 4, before, (at - shift) * SIXTEENTH % (4 * QUARTER), beat_s)
        before = key, 1
    return net


@pytest.mark.parametrize("shift", range(4))
def test_the_place_of_a_plain_tune_is_found_on_a_grid_that_is_moved(shift: int) -> None:
    net = heard(shift)
    assert net.by_shift.shape == (4,)
    assert net.by_shift[0] == 0
    assert int(net.by_shift.argmax()) == shift


def test_a_moved_grid_takes_the_evidence_along() -> None:
    net = heard(1)
    before = net.by_shift
    net.move(1)
    assert int(net.by_shift.argmax()) == 0
    assert net.by_shift == pytest.approx(np.roll(before, -1) - before[1])


def test_another_tempo_ends_the_evidence() -> None:
    net = heard(2)
    before = np.abs(net.by_shift).max()
    net.hear(60.0, (60, 1), None, 2 * BEAT_S)
    # a single onset is judged since
    assert np.abs(net.by_shift).max() < before / 4


def test_nothing_is_judged_before_enough_onsets_and_without_a_place() -> None:
    net = PlaceNet(QUARTER)
    for number in range(SEEN):
        net.hear(number * BEAT_S, (60, 1), 0, BEAT_S)
        assert not net.by_shift.any()
    stray = PlaceNet(QUARTER)
    for number in range(3 * SEEN):
        stray.hear(number * BEAT_S, (60, 1), None if number % 2 else 1, BEAT_S)
    assert not stray.by_shift.any()


def test_half_notes_have_the_shifts_of_two_quarters_and_short_beats_have_no_net() -> None:
    assert PlaceNet(2 * QUARTER).by_shift.shape == (8,)
    assert PlaceNet(3 * QUARTER // 2).by_shift.shape == (6,)
    assert heard(1, PlaceNet(QUARTER // 2)).by_shift.tolist() == [0.0]


def test_a_gap_is_shared_by_the_two_nearest_bins_and_any_gap_has_bins() -> None:
    shares = gap_shares(np.array([0.0, 1 / 16, 0.25, 0.27, 1.0, 1e9]))
    assert shares.shape == (6, GAP_BINS)
    assert shares.sum(axis=1) == pytest.approx(1.0)
    assert shares[2].argmax() == 6
    assert ((shares > 1e-9).sum(axis=1) <= 2).all()


def test_the_features_of_the_melody_are_within_their_limits() -> None:
    for semitones, keys, octaves in ((0, 1, 0.0), (40, 9, 5.0), (-40, 0, -5.0)):
        found = melody_features(semitones, keys, octaves)
        assert found.shape == (FEATURES - GAP_BINS,)
        assert found[:-1].sum() == 2
        assert abs(found[-1]) <= 1.5


@pytest.mark.parametrize("counted", [True, False])
def test_the_clock_asks_the_net_only_without_a_count_in(counted: bool) -> None:
    clock = Hypotheses(Meter(4, 4))
    place = 1 + np.append(0, np.cumsum(RHYTHM * 2)) * BEAT_S / 4
    if counted:
        clock.start_counted(1 - BEAT_S, BEAT_S)
    else:
        clock.start_free(1 - BEAT_S, np.array([BEAT_S]), BEAT_S, 0.1, KEYS[0])
    for onset_s, key in zip(place.tolist(), KEYS * 2, strict=False):
        clock.hear(onset_s, Onset(Classes((1, 1), (0, 0)), 1), key)
    assert clock.place.by_shift.any() != counted
