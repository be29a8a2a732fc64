"""The clocks that do not listen: a fixed tempo, and a MIDI file's own beats."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock.file_clock import FileClock
from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.step import Clock, Step
from device.errors import UserError

FOUR = Meter(4, 4)


def steps_until(clock: Clock, end_s: float, hop_s: float = 0.016, phase_s: float = 0.0) -> list[Step]:
    steps: list[Step] = []
    now_s = phase_s
    while now_s <= end_s:
        while (step := clock.due(now_s)) is not None:
            steps.append(step)
        now_s += hop_s
    return steps


def test_the_first_onset_is_the_start_of_a_bar() -> None:
    clock = FixedClock(120, FOUR)
    assert clock.due(10.0) is None
    clock.hear(1.0, 1.05, 60)
    assert not clock.counting_in
    steps = steps_until(clock, 9.0, phase_s=1.05)
    assert [(s.position, s.time_s) for s in steps[:2]] == [(2, pytest.approx(1.25)), (3, pytest.approx(1.375))]
    assert next(s.time_s for s in steps if s.is_bar) == pytest.approx(3.0)


def test_after_a_count_in_the_bar_starts_one_beat_later() -> None:
    clock = FixedClock(120, Meter(6, 8), count_in=4)
    for i in range(4):
        assert clock.counting_in
        clock.hear(1 + i * 0.5, 1.05 + i * 0.5, 60)
        assert clock.counting_in
    steps = steps_until(clock, 9.0, phase_s=2.56)
    assert not clock.counting_in
    assert steps[0].time_s == pytest.approx(3.0)
    assert steps[0].is_bar
    assert [s.time_s for s in steps if s.is_beat][1] == pytest.approx(3.5)
    assert steps[12].is_bar


def test_a_chord_in_the_count_in_counts_once() -> None:
    clock = FixedClock(120, FOUR, count_in=2)
    for onset_s in (1.0, 1.01, 1.5):
        clock.hear(onset_s, onset_s, 60)
    assert clock.counting_in
    clock.hear(1.52, 1.52, 64)
    assert clock.counting_in, "the chord's second note still belongs to the count-in"
    clock.hear(2.0, 2.0, 64)
    assert not clock.counting_in


def test_reset_forgets_the_start() -> None:
    clock = FixedClock(100, FOUR, count_in=1)
    clock.hear(1.0, 1.0, 60)
    assert clock.due(5.0) is not None
    clock.reset()
    assert clock.counting_in
    assert clock.due(50.0) is None


@pytest.mark.parametrize("tempo", [0.0, -1.0, 19.9, 401.0, float("nan")])
def test_an_impossible_tempo_is_refused_with_the_range(tempo: float) -> None:
    with pytest.raises(UserError, match="20 to 400"):
        FixedClock(tempo, FOUR)


@given(
    tempo=st.floats(20, 400),
    onset_s=st.floats(0, 50),
    delay_s=st.floats(0, 0.3),
    hops_s=st.lists(st.floats(0.0001, 3.0), min_size=1, max_size=40),
)
def test_every_step_comes_once_and_in_time(tempo: float, onset_s: float, delay_s: float, hops_s: list[float]) -> None:
    clock = FixedClock(tempo, FOUR)
    clock.hear(onset_s, onset_s + delay_s, 60)
    now_s = onset_s + delay_s
    assert all(step.plan_s >= now_s - 1e-9 for step in [clock.due(now_s)] if step)
    steps: list[Step] = []
    for hop_s in hops_s:
        now_s += hop_s
        while (step := clock.due(now_s)) is not None:
            assert step.plan_s <= now_s
            steps.append(step)
    assert [s.index for s in steps] == list(range(steps[0].index, steps[0].index + len(steps))) if steps else True
    assert all(b.time_s > a.time_s for a, b in pairwise(steps))


def steps_of(clock: FileClock) -> list[Step]:
    return list(clock.steps())


def bars_of(clock: FileClock) -> list[float]:
    return [step.time_s for step in clock.steps() if step.is_bar]


def test_the_grid_follows_the_tempo_map() -> None:
    clock = FileClock.from_map(480, [(0, 500_000), (1920, 1_000_000)], [(0, 4, 4)], 3840)
    beats = [s.time_s for s in clock.steps() if s.is_beat]
    assert beats[:8] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
    assert steps_of(clock)[17].length_s == pytest.approx(0.25)
    assert not clock.warnings


def test_a_file_without_a_map_is_in_four_at_120() -> None:
    clock = FileClock.from_map(96, [], [], 96 * 8)
    assert bars_of(clock) == pytest.approx([0.0, 2.0, 4.0, 6.0])
    assert steps_of(clock)[0].meter == FOUR


def test_six_eight_has_two_beats_of_six_steps() -> None:
    clock = FileClock.from_map(480, [], [(0, 6, 8)], 1440)
    assert [s.position for s in steps_of(clock)[:13]] == [*range(12), 0]
    assert [s.time_s for s in clock.steps() if s.is_beat][:3] == pytest.approx([0.0, 0.75, 1.5])


@pytest.mark.parametrize(
    "signatures",
    [[(0, 1, 4), (480, 4, 4)], [(0, 4, 4), (480, 4, 4)], [(0, 2, 8), (480, 4, 4)]],
    ids=["its own signature", "the same signature again", "in eighths"],
)
def test_a_short_first_bar_is_a_pickup(signatures: list[tuple[int, int, int]]) -> None:
    clock = FileClock.from_map(480, [], signatures, 4800)
    assert [s.position for s in steps_of(clock)[:6]] == [12, 13, 14, 15, 0, 1]
    assert not clock.warnings
    assert all(s.meter == FOUR for s in clock.steps())


def test_a_first_bar_of_a_listed_metre_that_lasts_is_no_pickup() -> None:
    clock = FileClock.from_map(480, [], [(0, 2, 4), (3840, 4, 4)], 7680)
    assert steps_of(clock)[0].position == 0
    assert steps_of(clock)[8].is_bar


@pytest.mark.parametrize(
    "signatures",
    [
        [(0, 4, 4), (3840, 3, 4), (5280, 1, 4), (5760, 4, 4)],
        [(0, 4, 4), (3840, 1, 4), (4320, 3, 4), (5760, 4, 4)],
        [(0, 4, 4), (5280, 4, 4), (5760, 4, 4)],
        [(0, 4, 4), (4800, 4, 4), (5760, 4, 4)],
    ],
    ids=["three and one", "one and three", "cut after three beats", "cut in the middle"],
)
def test_the_parts_of_a_split_bar_are_one_bar(signatures: list[tuple[int, int, int]]) -> None:
    clock = FileClock.from_map(480, [], signatures, 7680)
    assert [s.position for s in clock.steps()] == [*range(16)] * (len(steps_of(clock)) // 16)
    assert {str(s.meter) for s in clock.steps()} == {"4/4"}
    assert not clock.warnings


def test_a_single_bar_of_two_four_stays_itself() -> None:
    clock = FileClock.from_map(480, [], [(0, 4, 4), (1920, 2, 4), (2880, 4, 4)], 4800)
    assert bars_of(clock)[:4] == pytest.approx([0.0, 2.0, 3.0, 5.0])
    assert str(steps_of(clock)[16].meter) == "2/4"


def test_a_bar_that_is_cut_short_goes_from_its_own_beginning() -> None:
    clock = FileClock.from_map(480, [], [(0, 4, 4), (1920 + 1440, 3, 4)], 4800)
    assert [s.position for s in steps_of(clock)[16:29]] == [*range(12), 0]


@pytest.mark.parametrize("beside", [-59, -10, -1, 1, 5, 30, 59])
def test_a_signature_some_ticks_beside_its_bar_line_moves_no_step(beside: int) -> None:
    at_bar_lines = FileClock.from_map(480, [], [(0, 4, 4), (3840, 3, 4), (3840 + 4320, 4, 4)], 15_360)
    signatures = [(max(0, beside), 4, 4), (3840 + beside, 3, 4), (3840 + 4320 + beside, 4, 4)]
    assert steps_of(FileClock.from_map(480, [], signatures, 15_360)) == steps_of(at_bar_lines)


def test_the_last_of_the_signatures_at_one_bar_line_counts() -> None:
    clock = FileClock.from_map(480, [], [(0, 4, 4), (1915, 2, 4), (1922, 3, 4)], 4800)
    assert [step.meter for step in steps_of(clock) if step.is_bar][:3] == [FOUR, Meter(3, 4), Meter(3, 4)]


def test_an_extra_beat_leads_into_the_next_bar() -> None:
    clock = FileClock.from_map(480, [], [(0, 4, 4), (1920, 1, 4), (2400, 4, 4)], 4800)
    assert [s.position for s in steps_of(clock)[16:21]] == [12, 13, 14, 15, 0]


def test_an_unlisted_metre_is_played_by_its_beats_with_a_warning() -> None:
    clock = FileClock.from_map(480, [], [(0, 5, 4)], 4800)
    assert [s.position for s in steps_of(clock)[:21]] == [*range(20), 0]
    assert len(clock.warnings) == 1
    assert "5/4" in clock.warnings[0]


def test_the_grid_outlives_the_file_by_two_bars() -> None:
    clock = FileClock.from_map(480, [], [], 1920)
    assert steps_of(clock)[-1].time_s == pytest.approx(6.0 - 0.125)


def test_more_bars_than_anybody_plays_are_refused_at_once() -> None:
    with pytest.raises(UserError, match="bars long, and --clock file counts at most"):
        FileClock.from_map(1, [], [(0, 1, 64)], 0x0FFFFFFF)


def test_a_day_of_bars_is_counted_and_a_signature_after_the_end_adds_none() -> None:
    clock = FileClock.from_map(96, [], [(0, 4, 4), (0x0FFFFFFF, 3, 8)], 16_413_184)
    assert len(clock._bars) == math.ceil(16_413_184 / 384) + 2
    assert not clock.warnings


def test_smpte_time_is_refused() -> None:
    with pytest.raises(UserError, match="SMPTE"):
        FileClock.from_map(-6360, [], [], 100)


def test_a_change_that_another_one_is_moved_past_begins_where_that_one_would() -> None:
    # the first is moved from tick 235 to the step at 238, which lies after the second
    steps = steps_of(FileClock.from_map(28, [], [(235, 1, 32), (236, 3, 16)], 236))
    assert all(later.time_s > earlier.time_s for earlier, later in pairwise(steps))
    bars_s = [step.time_s for step in steps if step.is_bar and step.meter == Meter(3, 16)]
    assert 4.25 in bars_s


@given(
    ticks_per_beat=st.integers(1, 1000),
    tempos=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 3_000_000)), max_size=6),
    signatures=st.lists(
        st.tuples(st.integers(0, 1000), st.integers(1, 13), st.sampled_from([1, 2, 4, 8, 16, 32])), max_size=6
    ),
    # with one tick a quarter, 2,000 ticks have 8,000 steps
    end_tick=st.integers(0, 2000),
    hops_s=st.lists(st.floats(0.001, 20.0), min_size=1, max_size=20),
)
def test_any_map_gives_a_grid_of_rising_steps(
    ticks_per_beat: int,
    tempos: list[tuple[int, int]],
    signatures: list[tuple[int, int, int]],
    end_tick: int,
    hops_s: list[float],
) -> None:
    clock = FileClock.from_map(ticks_per_beat, tempos, signatures, end_tick)
    steps = steps_of(clock)
    assert steps[0].time_s >= 0
    assert all(b.time_s > a.time_s for a, b in pairwise(steps))
    assert all(0 <= s.position < s.meter.steps_per_bar for s in steps)
    given_out: list[Step] = []
    now_s = 0.0
    for hop_s in hops_s:
        now_s += hop_s
        while (step := clock.due(now_s)) is not None:
            given_out.append(step)
    assert given_out == [s for s in steps if s.plan_s <= now_s]
    clock.reset()
    assert clock.due(1e9) == steps[0]


@pytest.mark.parametrize("ticks_per_beat", [1, 3, 7, 480, 961])
@pytest.mark.parametrize("signature", [(7, 8), (4, 4), (2, 2), (3, 8)])
def test_the_steps_of_a_file_are_exact_where_a_step_is_no_whole_number_of_ticks(
    ticks_per_beat: int, signature: tuple[int, int]
) -> None:
    clock = FileClock.from_map(ticks_per_beat, [(0, 500_000)], [(0, *signature)], 1_000 * ticks_per_beat)
    steps = list(clock.steps())
    meter = Meter(*signature)
    assert [step.index for step in steps] == list(range(len(steps))) and len(steps) > 1_000
    assert [step.position for step in steps[: 2 * meter.steps_per_bar]] == 2 * list(range(meter.steps_per_bar))
    for step in steps[::97]:
        assert step.time_s == pytest.approx(float(step.index * meter.step_quarters / 2), abs=1e-9)
