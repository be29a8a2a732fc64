"""The following clock, with even playing, with a changing tempo, and with arbitrary notes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.step import Step
from device.following.follow_clock import FollowClock

FOUR = Meter(4, 4)
HEARD_S = 0.05
TUNE = (60, 62, 64, 65, 67, 65, 64, 62)


def played(
    clock: FollowClock, onsets_s: Sequence[float], end_s: float | None = None, hop_s: float = 0.016, phase_s: float = 0
) -> list[tuple[Step, float]]:
    """Return each step and the time at which it was returned. A note is decided 50 ms after it sounds."""
    end_s = onsets_s[-1] + 1 if end_s is None else end_s
    given_out: list[tuple[Step, float]] = []
    waiting = [(t, TUNE[i % len(TUNE)]) for i, t in enumerate(onsets_s)]
    for now_s in np.arange(phase_s, end_s, hop_s):
        while waiting and waiting[0][0] + HEARD_S <= now_s:
            onset_s, pitch = waiting.pop(0)
            clock.hear(onset_s, onset_s + HEARD_S, pitch)
        while (step := clock.due(float(now_s))) is not None:
            given_out.append((step, float(now_s)))
    return given_out


def steps_of(given_out: list[tuple[Step, float]]) -> list[Step]:
    return [step for step, _ in given_out]


def from_truth(steps: list[Step], beats_s: Sequence[float]) -> list[float]:
    """Return the distance in seconds of each returned beat from the nearest true beat."""
    true = np.asarray(beats_s)
    return [float(np.abs(true - s.time_s).min()) for s in steps if s.is_beat and true[0] <= s.time_s <= true[-1]]


def counted_in(beat_s: float, rhythm: Sequence[float], beats: int, start_s: float = 1.0) -> list[float]:
    """Four onsets a beat apart, then `rhythm` (places within a beat) for so many beats."""
    return [start_s + (i + place) * beat_s for i in range(beats) for place in ((0.0,) if i < 4 else rhythm)]


@pytest.mark.parametrize("meter", ["2/4", "3/4", "4/4", "6/8"])
def test_a_steady_pulse_is_followed_within_10_ms(meter: str) -> None:
    beat_s = 0.6
    steps = steps_of(played(FollowClock(Meter.parse(meter), 4), counted_in(beat_s, (0.0, 0.5), 40)))
    assert steps[0].is_bar
    assert steps[0].time_s == pytest.approx(1 + 4 * beat_s, abs=0.01)
    assert max(from_truth(steps, 1 + beat_s * np.arange(4, 40))) < 0.01
    assert sum(s.is_beat for s in steps) >= 36


def test_a_hand_that_is_20_ms_off_is_followed_within_70_ms() -> None:
    onsets_s = np.array(counted_in(0.5, (0.0, 0.5), 60))
    onsets_s += np.random.default_rng(5).normal(0, 0.02, len(onsets_s))
    assert max(from_truth(steps_of(played(FollowClock(FOUR, 4), list(onsets_s))), 1 + 0.5 * np.arange(4, 60))) < 0.07


def test_the_steps_are_more_even_than_the_onsets_of_a_player_who_keeps_time() -> None:
    onsets_s = np.array(counted_in(0.5, (0.0, 0.5), 80))
    onsets_s += np.random.default_rng(6).normal(0, 0.02, len(onsets_s))
    steps = [s.time_s for s in steps_of(played(FollowClock(FOUR, 4), list(onsets_s)))]
    half_beats = np.diff(steps[32::2])
    assert np.std(half_beats) < 0.4 * np.std(np.diff(onsets_s[32:]))


@pytest.mark.parametrize("change", [0.15, -0.15])
def test_a_ramp_is_followed_and_the_lock_held(change: float) -> None:
    beats = np.arange(-4, 44)
    beats_s = 3 + np.cumsum(0.5 / (1 + change * np.clip((beats - 12) / 16, 0, 1)))
    onsets_s = sorted([*beats_s, *((beats_s[4:-1] + beats_s[5:]) / 2)])
    steps = steps_of(played(FollowClock(FOUR, 4), onsets_s))
    assert max(from_truth(steps, beats_s[4:])) < 0.07
    assert min(s.lock for s in steps if s.time_s < beats_s[-1]) > 0.5
    last = [s for s in steps if s.is_beat][-4:]
    assert np.diff([s.time_s for s in last]).mean() == pytest.approx(0.5 / (1 + change), rel=0.02)


def test_triplets_throughout_change_neither_tempo_nor_beat() -> None:
    steps = steps_of(played(FollowClock(FOUR, 4), counted_in(0.6, (0.0, 1 / 3, 2 / 3), 40)))
    assert max(from_truth(steps, 1 + 0.6 * np.arange(4, 40))) < 0.02


@pytest.mark.parametrize("tempo", [60.0, 240.0])
def test_half_and_double_tempo_are_mended(tempo: float) -> None:
    """If the given tempo is half or twice the true one, the clock finds the true tempo from the notes."""
    beat_s = 0.5
    figure = (0.0, 1.0, 1.5, 2.0, 3.0, 3.25, 3.5)
    onsets_s = [1 + (4 * bar + place) * beat_s for bar in range(24) for place in figure]
    steps = steps_of(played(FollowClock(FOUR, count_in=0, tempo=tempo), onsets_s))
    last = [s.time_s for s in steps if s.is_beat and s.time_s > onsets_s[-1] - 16 * beat_s]
    assert np.diff(last).mean() == pytest.approx(beat_s, rel=0.03)


def test_lock_rises_with_onsets_and_falls_in_silence() -> None:
    onsets_s = [1 + 0.25 * i for i in range(64) if i % 8 not in (1, 5)]
    steps = steps_of(played(FollowClock(FOUR, count_in=0), onsets_s, end_s=onsets_s[-1] + 20))
    first, sure = steps[0].lock, max(s.lock for s in steps)
    assert first < sure
    assert sure > 0.5
    silent = [s.lock for s in steps if s.time_s > onsets_s[-1] + 2]
    assert all(b <= a for a, b in pairwise(silent))
    assert silent[-1] < 0.3 * sure


def test_nothing_is_given_before_the_count_in_is_over() -> None:
    clock = FollowClock(FOUR, 4)
    assert not played(clock, [1.0, 1.5, 2.0], end_s=30.0)
    assert clock.counting_in


def test_after_one_count_the_other_notes_of_its_chord_are_the_same_onset() -> None:
    clock = FollowClock(FOUR, 1)
    for i in range(20):
        at_s = 1 + i * 0.5
        # a low note is decided later, and its onset may be earlier
        for pitch, early_s in ((72, 0.0), (60, 0.03), (55, 0.04)):
            clock.hear(at_s - early_s, at_s + HEARD_S + early_s, pitch)
    assert any(clock.due(11 + hop * 0.016) is not None for hop in range(40))


def test_reset_forgets_all() -> None:
    clock, onsets_s = FollowClock(FOUR, 4), counted_in(0.5, (0.0,), 12)
    first = played(clock, onsets_s)
    clock.reset()
    assert clock.counting_in
    assert played(clock, onsets_s) == first


@pytest.mark.parametrize(
    ("counted_s", "beat_s"),
    [((1.58, 1.98, 2.57, 2.80), 0.643), ((1.40, 1.98, 2.24, 2.82), 0.525), ((1.55, 1.86, 2.30, 2.82), 0.686)],
)
def test_after_a_false_count_in_no_beat_is_left_out_and_no_step_is_in_the_past(
    counted_s: tuple[float, ...], beat_s: float
) -> None:
    """Four notes that were no count-in, then a tune at another tempo: the grid has to leap."""
    tune = [counted_s[-1] + beat_s * (1 + i + place) for i in range(16) for place in (0.0, 0.25, 0.5)]
    given_out = played(FollowClock(FOUR, 4), [*counted_s, *tune])
    assert all(step.time_s >= now_s for step, now_s in given_out)
    steps = steps_of(given_out)
    assert all(b.time_s - a.time_s <= FOUR.steps_per_beat * b.length_s for a, b in pairwise(steps))


GAPS = st.lists(st.one_of(st.floats(0.01, 0.9), st.floats(0.9, 4.0)), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(gaps_s=GAPS, count_in=st.sampled_from([0, 1, 2, 4]), meter=st.sampled_from(["2/4", "3/4", "4/4", "6/8", "5/4"]))
def test_whatever_is_played_steps_rise_and_none_is_given_in_the_past(
    gaps_s: list[float], count_in: int, meter: str
) -> None:
    onsets_s = list(np.cumsum(gaps_s))
    given_out = played(FollowClock(Meter.parse(meter), count_in), onsets_s, onsets_s[-1] + 2)
    steps = steps_of(given_out)
    assert [s.index for s in steps] == list(range(len(steps)))
    assert all(b.time_s > a.time_s for a, b in pairwise(steps))
    assert all(step.time_s >= now_s for step, now_s in given_out)
    assert all(0 <= s.position < s.meter.steps_per_bar and 0 <= s.lock <= 1 and s.length_s > 0 for s in steps)


@pytest.mark.parametrize("hop_s", [0.004, 0.011, 0.032])
@pytest.mark.parametrize("phase_s", [0.0, 0.009])
def test_hop_length_and_phase_move_a_step_by_less_than_a_hop(hop_s: float, phase_s: float) -> None:
    rng = np.random.default_rng(4)
    onsets_s = list(np.array(counted_in(0.5, (0.0, 0.5), 40)) + rng.normal(0, 0.01, 4 + 36 * 2))
    some = steps_of(played(FollowClock(FOUR, 4), onsets_s))
    others = steps_of(played(FollowClock(FOUR, 4), onsets_s, None, hop_s, phase_s))
    both = min(len(some), len(others))
    assert abs(len(some) - len(others)) <= 1
    assert [s.position for s in some[:both]] == [s.position for s in others[:both]]
    assert max(abs(a.time_s - b.time_s) for a, b in zip(some[:both], others[:both], strict=True)) <= 0.032


def tune_after(counts: list[tuple[float, int]], first_beat_s: float, beat_s: float = 0.6) -> list[Step]:
    """Steps of the automatic clock after `counts` (time, key) and a tune of eighths that begins at `first_beat_s`."""
    clock = FollowClock(FOUR)
    tune = [(first_beat_s + 0.5 * i * beat_s, TUNE[i % 8]) for i in range(32)]
    steps: list[Step] = []
    notes = sorted([*counts, *tune])
    for now_s in np.arange(0.0, first_beat_s + 17 * beat_s, 0.016):
        while notes and notes[0][0] <= now_s:
            onset_s, pitch = notes.pop(0)
            clock.hear(onset_s, onset_s, pitch)
        while (step := clock.due(float(now_s))) is not None:
            steps.append(step)
    return steps


COUNTS = {
    "clean": [(1.0, 72), (1.6, 72), (2.2, 72), (2.8, 72)],
    "a slip between two counts": [(1.0, 72), (1.3, 74), (1.6, 72), (2.2, 72), (2.8, 72)],
    "their key heard once more between two counts": [(1.0, 72), (1.6, 72), (1.9, 72), (2.2, 72), (2.8, 72)],
    "an echo of the third count alone": [(1.0, 72), (1.6, 72), (2.2, 72), (2.4, 72), (2.8, 72)],
    "echoes of two counts": [(1.0, 72), (1.6, 72), (1.8, 72), (2.2, 72), (2.4, 72), (2.8, 72), (3.0, 72)],
    "two slow counts before": [(t, 72) for t in (0.6, 1.8, 3.0, 3.6, 4.2, 4.8)],
    "the second not heard": [(1.0, 72), (2.2, 72), (2.8, 72)],
    "a key touched before": [(0.2, 61), (3.0, 72), (3.6, 72), (4.2, 72), (4.8, 72)],
    "the same key touched before": [(0.2, 72), (3.0, 72), (3.6, 72), (4.2, 72), (4.8, 72)],
    "rolled chords": [(1 + 0.6 * i + 0.05 * k, 60 + 4 * k) for i in range(4) for k in range(3)],
    "a late echo": [(t + e, 72) for t in (1.0, 1.6, 2.2, 2.8) for e in (0.0, 0.2)],
    "an echo": [(t + e, 72) for t in (1.0, 1.6, 2.2, 2.8) for e in (0.0, 0.12)],
}


@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS.keys())
def test_four_even_onsets_on_one_key_or_chord_are_a_count_in(counts: list[tuple[float, int]]) -> None:
    last_s = 4.8 if counts[-1][0] > 4 else 2.8
    steps = tune_after(counts, last_s + 0.6)
    assert steps[0].is_bar
    beats = [s for s in steps if s.is_beat]
    assert [s.beat for s in beats] == [i % 4 for i in range(len(beats))]
    assert max(from_truth(steps, last_s + 0.6 * np.arange(1, 17))) < 0.05


MELODIES = {
    "a melody that comes back to its key": [(0, 77), (0.75, 79), (1, 77), (1.5, 74), (3, 77), (3.75, 79), (4, 77)],
    "one count missing and a slip": [(0, 72), (1, 72), (1.5, 74), (3, 72)],
    "two slips between four counts": [(0, 72), (0.5, 74), (1, 72), (1.5, 71), (2, 72), (3, 72)],
    "three counts, a rest and the next, as Jingle Bells begins": [(0, 64), (1, 64), (2, 64), (4, 64)],
    "two voices of which the lower stays, as in a hymn": [(0, 67), (0.01, 74), (1, 67), (1.01, 74), (2, 67), (2.01, 74)]
    + [(3, 67), (3.01, 76)],
    "the same, the upper first": [(0, 74), (0.01, 67), (1, 74), (1.01, 67), (2, 74), (2.01, 67), (3, 76), (3.01, 67)],
    "two voices of which the upper moves": [(0, 67), (0, 71), (1, 67), (1, 72), (2, 67), (2, 74), (3, 67), (3, 71)],
    "a pedal tone under a tune": [(0, 67), (0.5, 72), (1, 67), (1.5, 74), (2, 67), (2.5, 76), (3, 67), (3.5, 77)],
}
"""Notes that are no count-in: the place of each in beats, and its key. The first begins as "Silent Night" does."""


@pytest.mark.parametrize("melody", MELODIES.values(), ids=MELODIES.keys())
def test_a_key_that_comes_back_between_other_keys_is_no_count_in(melody: list[tuple[float, int]]) -> None:
    clock = FollowClock(FOUR)
    for place, pitch in melody:
        onset_s = 1.0 + 0.6 * place
        clock.hear(onset_s, onset_s + HEARD_S, pitch)
    assert not clock.counted_in


def test_the_counts_of_a_child_may_be_uneven_if_nothing_was_played_before() -> None:
    uneven = (0.428, 0.486, 0.402)
    for before in ((), ((0.0, 60),)):
        clock, onset_s = FollowClock(FOUR), 1.0
        for at_s, pitch in before:
            clock.hear(at_s, at_s + HEARD_S, pitch)
        for gap_s in (0.0, *uneven):
            onset_s += gap_s
            clock.hear(onset_s, onset_s + HEARD_S, 72)
        assert clock.counted_in is not bool(before)


def test_a_count_in_after_a_melody_is_found() -> None:
    clock = FollowClock(FOUR)
    melody = MELODIES["a melody that comes back to its key"]
    for place, pitch in [*melody, *((place, 72) for place in (8, 9, 10, 11))]:
        onset_s = 1.0 + 0.3 * place
        clock.hear(onset_s, onset_s + HEARD_S, pitch)
    assert clock.counted_in


def test_quick_counts_may_be_rolled_chords() -> None:
    clock, beat_s = FollowClock(FOUR), 0.4
    for count in range(4):
        for pitch, later_s in ((60, 0.0), (67, 0.14)):
            onset_s = 1.0 + beat_s * count + later_s
            clock.hear(onset_s, onset_s + HEARD_S, pitch)
    assert clock.counted_in


def test_an_announced_count_in_may_be_on_any_keys() -> None:
    clock = FollowClock(FOUR, count_in=4)
    for place, pitch in enumerate((60, 64, 60, 67)):
        clock.hear(1.0 + 0.6 * place, 1.0 + 0.6 * place + HEARD_S, pitch)
    assert clock.counted_in


@pytest.mark.parametrize("meter", ["3/32", "1/64", "5/16", "7/16", "9/32", "6/32", "12/64", "2/16", "1/1", "7/2"])
@pytest.mark.parametrize("count_in", [4, 0])
def test_a_metre_of_short_or_long_notes_has_all_its_steps_in_order(meter: str, count_in: int) -> None:
    beat_s, signed = 0.6, Meter.parse(meter)
    steps = steps_of(played(FollowClock(signed, count_in, tempo=100.0), counted_in(beat_s, (0.0, 0.5), 24)))
    assert len(steps) > min(30, 15 * signed.steps_per_beat)
    assert {step.meter for step in steps} == {signed}
    assert {step.position for step in steps} <= set(range(signed.steps_per_bar))
    ahead = [(b.position - a.position) % signed.steps_per_bar for a, b in pairwise(steps)]
    # without a count-in the clock looks for the bar, and the place in the bar may jump
    jumps = len(ahead) - ahead.count(1 % signed.steps_per_bar)
    assert jumps < (1 if count_in else 16)


def test_the_same_music_in_shorter_notes_has_the_same_steps() -> None:
    def places(meter: str) -> list[tuple[float, int]]:
        clock = FollowClock(Meter.parse(meter), 4)
        return [(step.time_s, step.position) for step in steps_of(played(clock, counted_in(0.6, (0.0, 0.5), 24)))]

    assert len(places("6/8")) > 100
    assert places("6/16") == places("6/32") == places("6/8")
    assert places("5/16") == places("5/8")
