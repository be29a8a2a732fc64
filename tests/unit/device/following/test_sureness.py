"""`lock`, the probability that the beat is right, from what the clock knows."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.following.lock import LEAST_LOG_SHARE, USUAL_LOG_SHARE, Evidence, lock_of
from device.following.next_onset import QUARTER
from device.following.steady_grid import SteadyGrid
from tests.unit.device.following.test_steady_grid import ANY, QUARTER_LENGTH_S, bank_at, steady_after

STEADY, FREE = (steady_after(40, uneven_s)[0] for uneven_s in (0.0, 0.12))
SHARE = st.floats(0, 1)
AGREED = Evidence(
    now=1.0,
    before=1.0,
    in_doubt=False,
    silent_beats=0.5,
    steady=None,
    tempo=0.0,
    history=None,
    net=None,
    gaps=None,
)
"""All hypotheses agree, and the tempo is the counted one."""


def lock(**changed: Any) -> float:
    """Return `lock` of AGREED with other values of some fields."""
    return lock_of(AGREED._replace(**changed))


def test_a_steady_player_has_a_higher_lock_than_one_whose_tempo_bends() -> None:
    steady, unknown, free = (lock(steady=grid) for grid in (STEADY, None, FREE))
    assert steady > 0.8
    assert steady > unknown > free


def test_the_same_steady_player_does_not_raise_it_after_a_rest_off_the_beat_or_if_the_grid_is_not_kept() -> None:
    assert lock(in_doubt=True, steady=STEADY) == lock(in_doubt=True)
    young, _ = steady_after(6)
    assert lock(steady=young) == lock()


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_tempo_far_from_the_counted_one_lowers_it_up_to_a_limit(sign: int) -> None:
    locks = [lock(steady=FREE, tempo=sign * math.log(ratio)) for ratio in (1.0, 1.2, 1.5, 2.1, 4.0)]
    assert locks[0] > locks[1] > locks[2] > locks[3] == locks[4]


def test_without_a_count_in_it_follows_the_net_of_tempo_and_place() -> None:
    unknown, bad, good = (lock(net=odds) for odds in (None, -3.0, 3.0))
    assert bad < unknown < good


def test_without_a_count_in_it_falls_if_the_times_between_onsets_make_the_length_of_the_beat_unlikely() -> None:
    locks = [lock(gaps=log_share) for log_share in (-0.5, USUAL_LOG_SHARE, -4.0, LEAST_LOG_SHARE, -30.0)]
    assert locks[0] > locks[1] == lock() > locks[2] > locks[3] == locks[4]


def test_it_rises_with_the_log_odds_by_the_history() -> None:
    locks = [lock(steady=FREE, history=odds) for odds in (-3.0, 0.0, 3.0)]
    assert locks[0] < locks[1] < locks[2]
    assert locks[0] < lock(steady=FREE) < locks[2]


@pytest.mark.parametrize(("rest", "waits"), [(2.5, 2), (2.0, 8)])
def test_after_a_rest_of_a_steady_player_the_history_cannot_raise_it_and_for_longer_if_the_rest_ends_off_the_beat(
    rest: float, waits: int
) -> None:
    # the last onset is half a beat before the beat
    rested, at_s = steady_after(40)
    assert lock(steady=rested, history=5.0) > lock(steady=rested)
    cannot = []
    for beats in (rest, *(1.0,) * 9):
        at_s += beats * QUARTER_LENGTH_S
        rested.hear(bank_at(at_s, round((at_s / QUARTER_LENGTH_S) * QUARTER)), at_s, ANY)
        known, alone = lock(steady=rested, history=5.0), lock(steady=rested)
        cannot.append(known == alone > lock(steady=rested, history=-3.0))
        assert cannot[-1] or known > alone
    assert cannot == [True] * waits + [False] * (10 - waits)


def test_the_history_may_raise_it_after_a_rest_of_a_free_player_that_ended_off_the_beat() -> None:
    assert lock(in_doubt=True, steady=FREE, history=5.0) > lock(in_doubt=True, steady=FREE)
    assert lock(steady=STEADY, history=5.0) > lock(steady=STEADY)


def test_it_fades_in_a_long_silence() -> None:
    first, later, late = (lock(silent_beats=beats) for beats in (3.9, 10.0, 28.0))
    assert first > later > late == pytest.approx(first * math.exp(-2))


@given(SHARE, SHARE, st.booleans(), st.floats(0, 1e4), st.sampled_from([None, STEADY, FREE]), st.floats(-5, 5))
def test_it_is_a_probability_and_rises_with_the_share_that_agrees(
    now: float, before: float, in_doubt: bool, silent: float, steady: SteadyGrid | None, tempo: float
) -> None:
    known = Evidence(now, before, in_doubt, silent, steady, tempo, history=None, net=None, gaps=None)
    assert 0 <= lock_of(known) <= 1
    assert lock_of(known._replace(now=1.0)) >= lock_of(known)
