"""Stream time and machine time: late blocks change no time, lost samples shift all later times."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from device.stream_time import StreamTime

BLOCK_S = 256 / 48_000


@given(st.lists(st.floats(0, 0.009), min_size=50, max_size=300), st.floats(-50e-6, 50e-6))
def test_late_blocks_and_a_drifting_crystal_leave_the_time_within_the_earliest_and_the_latest(
    lateness_s: list[float], drift: float
) -> None:
    time = StreamTime()
    earliest = np.inf
    for i, late_s in enumerate(lateness_s, start=1):
        truth_s = 100 + i * BLOCK_S * (1 + drift)
        time.arrived(i * BLOCK_S, truth_s + late_s)
        earliest = min(earliest, late_s)
        error_s = time.wall(i * BLOCK_S) - truth_s
        assert -1e-3 <= error_s <= earliest + 1e-3


@given(st.lists(st.floats(0, 0.5), min_size=20, max_size=200))
def test_the_time_never_jumps_ahead_by_more_than_the_leak_when_nothing_is_lost(stalls_s: list[float]) -> None:
    """Blocks wait for a stalled machine, then come in a burst; none comes before the one ahead of it."""
    time = StreamTime()
    walls = []
    now_s = 0.0
    for i, stall_s in enumerate(stalls_s, start=1):
        now_s = max(now_s, i * BLOCK_S) + (stall_s if i % 60 == 0 else 0.0)
        assert time.arrived(i * BLOCK_S, now_s) == 0
        walls.append(time.wall(1000.0))
    assert all(later - earlier <= BLOCK_S * 200e-6 + 1e-9 for earlier, later in itertools.pairwise(walls))


def test_lost_samples_are_found_and_all_after_is_in_time_again() -> None:
    time = StreamTime()
    for i in range(1, 500):
        time.arrived(i * BLOCK_S, i * BLOCK_S)
    lost = [time.arrived(i * BLOCK_S, i * BLOCK_S + 0.1) for i in range(500, 800)]
    assert [round(s, 2) for s in lost if s] == [0.1]
    assert abs(time.wall(10.0) - 10.1) < 1e-3


def test_a_stall_of_half_a_second_is_not_taken_for_a_loss() -> None:
    time = StreamTime()
    lost = 0.0
    for i in range(1, 1000):
        lost += time.arrived(i * BLOCK_S, max(i * BLOCK_S, 2.5) if 2.0 < i * BLOCK_S < 2.5 else i * BLOCK_S)
    assert lost == 0
