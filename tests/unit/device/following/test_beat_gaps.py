"""The length of a beat from the times between onsets, and the hypotheses that the clock makes at this tempo."""

from __future__ import annotations

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following.bank import QUARTER_S, TICK, WEIGHT, HypothesisBank
from device.following.beat_gaps import BEATS_S, FIRST, LONG, NEXT, REPEATED, BeatGaps, GapHistograms, kind_of
from device.following.follow_clock import FollowClock
from device.following.hypotheses import Hypotheses
from device.following.next_onset import SIXTEENTH
from device.following.other_tempo import SHARE, near_tempo

FOUR = Meter(4, 4)
SONG = (0.75, 0.25, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.25, 0.25, 1.0, 0.5, 0.5, 0.25, 0.25, 0.5, 1.0)
"""Beats of the notes of a tune, which is repeated."""
KEYS = (67, 64, 65, 67, 69, 67, 65, 64, 62, 64, 65, 67, 72, 71, 69, 67, 65, 64, 62, 60)
HOP_S = 0.016


def song(beat_s: float, times: int, rubato: float = 0.0, seed: int = 0) -> list[tuple[float, int]]:
    """The tune `times` times in a row, with 15 ms of random timing; `rubato` is the relative spread of the beats."""
    rng = np.random.default_rng(seed)
    place = np.append(0.0, np.cumsum(SONG * times))
    beats = np.append(0.0, np.cumsum(beat_s * np.exp(rng.normal(0, rubato, int(place[-1]) + 1))))
    begins_s = 1 + np.interp(place[:-1], np.arange(len(beats)), beats) + rng.normal(0, 0.015, len(place) - 1)
    return [(float(t), key) for t, key in zip(np.sort(begins_s), KEYS * times, strict=True)]


def bank(quarter_s: float, weight: float = 0.5) -> HypothesisBank:
    """One hypothesis about an onset on the first eighth of a bar."""
    one = np.ones(1)
    ticks = np.full(1, 2 * SIXTEENTH)
    return HypothesisBank.new(1.0, quarter_s * one, ticks, np.ones(1, np.int64), weight * one, (1e-4, 1e-3), 6)


@pytest.mark.parametrize("beat_s", [0.45, 0.6, 0.8, 1.1])
def test_the_beat_of_a_tune_with_sixteenths_is_found_at_any_tempo(beat_s: float) -> None:
    gaps = BeatGaps(FOUR, 1.0)
    for onset_s, pitch in song(beat_s, 3):
        gaps.hear(onset_s, pitch)
    assert gaps.beat_s == pytest.approx(beat_s, rel=0.1)


def test_there_is_no_estimate_before_the_first_onsets() -> None:
    gaps = BeatGaps(FOUR, 1.0)
    for onset_s, pitch in song(0.6, 2)[: FIRST - 1]:
        gaps.hear(onset_s, pitch)
        assert gaps.beat_s is None
    gaps.hear(*song(0.6, 2)[FIRST - 1])
    assert gaps.beat_s in BEATS_S.tolist()


def test_the_probabilities_of_all_beats_sum_to_one_and_the_true_one_is_likelier_than_its_half_and_its_double() -> None:
    gaps = BeatGaps(FOUR, 1.0)
    for onset_s, pitch in song(0.6, 2)[: FIRST - 1]:
        gaps.hear(onset_s, pitch)
    assert gaps.log_share(0.6) is None
    for onset_s, pitch in song(0.6, 3)[FIRST - 1 :]:
        gaps.hear(onset_s, pitch)
    shares = [np.exp(gaps.log_share(beat_s)) for beat_s in BEATS_S.tolist()]
    assert sum(shares) == pytest.approx(1.0)
    true, half, double = (gaps.log_share(beat_s) for beat_s in (0.6, 0.3, 1.2))
    assert true is not None and half is not None and double is not None
    assert true > max(half, double) + 2


def test_between_two_beats_the_log_probability_lies_between_theirs_and_outside_it_is_that_of_the_last() -> None:
    gaps = BeatGaps(FOUR, 1.0)
    for onset_s, pitch in song(0.6, 3):
        gaps.hear(onset_s, pitch)
    for shorter_s, longer_s in zip(BEATS_S[:-1], BEATS_S[1:], strict=True):
        ends = [gaps.log_share(float(beat_s)) for beat_s in (shorter_s, longer_s)]
        assert gaps.log_share(float(np.sqrt(shorter_s * longer_s))) == pytest.approx(np.mean(ends))
    assert gaps.log_share(0.01) == gaps.log_share(float(BEATS_S[0]))
    assert gaps.log_share(9.0) == gaps.log_share(float(BEATS_S[-1]))


def test_an_estimate_follows_a_player_who_goes_on_at_another_tempo() -> None:
    gaps = BeatGaps(FOUR, 1.0)
    first = song(0.5, 3)
    for onset_s, pitch in [*first, *((first[-1][0] + t, key) for t, key in song(0.7, 10))]:
        gaps.hear(onset_s, pitch)
    assert gaps.beat_s == pytest.approx(0.7, rel=0.1)


def test_a_tempo_only_moves_the_histograms() -> None:
    slow, quick = GapHistograms(), GapHistograms()
    for onset_s, pitch in song(0.5, 2):
        slow.hear(2 * onset_s, pitch)
        quick.hear(onset_s, pitch)
    octave = slow.per_onset()[NEXT].argmax() - quick.per_onset()[NEXT].argmax()
    assert octave == 12
    assert slow.per_onset()[NEXT].sum() == pytest.approx(1.0)


def test_times_to_the_same_key_and_between_long_notes_are_counted_apart() -> None:
    histograms = GapHistograms()
    for i in range(24):
        histograms.hear(1 + i // 3 * 1.2 + (0.0, 0.3, 0.6)[i % 3], (60, 62, 64)[i % 3])
    at = [int(round((np.log2(time_s) + 4.25) * 12)) for time_s in (1.2, 0.3)]
    for kind in (REPEATED, LONG):
        row = histograms.per_onset()[kind]
        near = [row[place - 1 : place + 2].sum() for place in at]
        assert near[0] > 0
        assert near[1] == 0


@pytest.mark.parametrize(
    ("meter", "kind"), [("4/4", "duple"), ("2/2", "duple"), ("3/4", "triple"), ("6/8", "compound"), ("3/8", "compound")]
)
def test_each_metre_has_a_template(meter: str, kind: str) -> None:
    assert kind_of(Meter.parse(meter)) == kind
    gaps = BeatGaps(Meter.parse(meter), float(Meter.parse(meter).beat_quarters))
    for onset_s, pitch in song(0.6, 3):
        gaps.hear(onset_s, pitch)
    scores = gaps._templates @ gaps._histograms.per_onset().ravel()
    assert scores.shape == BEATS_S.shape
    assert np.ptp(scores) > 1


def test_hypotheses_are_made_only_at_a_tempo_that_is_far_from_the_likeliest() -> None:
    assert near_tempo(bank(0.5), 0.55, 24) is None
    new = near_tempo(bank(0.5), 0.95, 24)
    assert new is not None
    assert new.real[QUARTER_S] == pytest.approx(np.full(4, 1.0))
    assert new.whole[TICK].tolist() == [0, 6, 12, 18]
    assert new.real[WEIGHT].sum() == pytest.approx(0.5 * SHARE)


def test_the_estimate_is_used_only_if_nobody_gave_a_tempo() -> None:
    free, hinted, counted = FollowClock(FOUR, 0), FollowClock(FOUR, 0, 100.0), FollowClock(FOUR, 4)
    notes = song(0.6, 3)
    for clock in (free, hinted):
        for onset_s, pitch in notes:
            clock.hear(onset_s, onset_s, pitch)
    for i in range(4):
        counted.hear(1 + 0.6 * i, 1 + 0.6 * i, 72)
    for onset_s, pitch in notes:
        counted.hear(onset_s + 2.4, onset_s + 2.4, pitch)
    assert [_gaps(clock) is None for clock in (free, hinted, counted)] == [False, True, True]


def test_the_beat_of_a_player_with_rubato_is_doubted_at_double_tempo_and_that_of_a_steady_player_is_not() -> None:
    notes = song(0.7, 3, rubato=0.12)
    clock, steady = FollowClock(FOUR, 0), FollowClock(FOUR, 0)
    for at, heard in ((clock, notes), (steady, song(0.7, 3))):
        for onset_s, pitch in heard:
            at.hear(onset_s, onset_s, pitch)
    assert not clock._hypotheses.ways.is_steady and steady._hypotheses.ways.is_steady
    locks = []
    for quarter_s in (0.7, 0.35):
        clock._leaders.quarter_s = steady._leaders.quarter_s = quarter_s
        # at the last onset, so that no silence counts
        locks.append((clock._lock(notes[-1][0], None), steady._tempo_by_gaps()))
    assert locks[0][0] > locks[1][0] + 0.1
    assert locks[0][1] is locks[1][1] is None


def _gaps(clock: FollowClock) -> BeatGaps | None:
    hypotheses: Hypotheses = clock._hypotheses
    return hypotheses.gaps


@pytest.mark.parametrize("beat_s", [0.42, 1.1, 1.3])
def test_a_slow_beat_with_rubato_is_not_taken_for_two_beats(beat_s: float) -> None:
    clock, waiting, told = FollowClock(FOUR, 0), song(beat_s, 5, rubato=0.08), []
    for now_s in np.arange(0, waiting[-1][0], HOP_S):
        while waiting and waiting[0][0] <= now_s:
            clock.hear(waiting[0][0], waiting[0][0], waiting.pop(0)[1])
        while (step := clock.due(float(now_s))) is not None:
            told += [step.time_s] if step.is_beat else []
    assert np.median(np.diff(told[-12:])) == pytest.approx(beat_s, rel=0.1)
