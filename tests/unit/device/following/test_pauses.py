"""The following clock after a pause, a breath and a sudden new tempo, and with more notes than a hand can play."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.step import Step
from device.following.bank import KEPT, TIME
from device.following.follow_clock import FollowClock
from device.following.heard_onsets import SAME_ONSET_S
from device.following.hypotheses import WORKED_OUT, Hypotheses
from device.following.near_places import LOOKED_AT
from device.following.next_onset import next_prior, sixteenths_of
from device.following.rhythm import rhythm_of
from device.following.step_times import LEAST_GAP

FOUR = Meter(4, 4)
BEAT_S = 0.6
TUNE = ((0.0, 72), (1.0, 74), (2.0, 76), (3.0, 77), (4.0, 79), (5.0, 77), (5.5, 76), (6.0, 74))
"""Two bars: place in beats, and key. The last note is two beats long."""
BEATS = 8 * 4
"""Beats of the tune before the pause or the new tempo."""
WITHIN = 8
"""The true beat must be found again within so many beats: two bars."""


def steps_of(notes: list[tuple[float, int]], clock: FollowClock | None = None) -> list[Step]:
    """The steps of a clock, the automatic one if none is given. It hears the notes (time, key) at once, hop by hop."""
    clock, waiting, steps = clock or FollowClock(FOUR), list(notes), list[Step]()
    for now_s in np.arange(0.0, notes[-1][0] + 1.0, 0.016):
        while waiting and waiting[0][0] <= now_s:
            onset_s, pitch = waiting.pop(0)
            clock.hear(onset_s, onset_s, pitch)
        while (step := clock.due(float(now_s))) is not None:
            steps.append(step)
    return steps


def tune_that_changes(pause: float, beat_after_s: float) -> tuple[list[tuple[float, int]], float]:
    """A count-in and the tune; after `BEATS` a pause in beats, and another tempo; and the first beat after it in s."""
    notes = [(i * BEAT_S, 72) for i in range(4)]
    start_s = 4 * BEAT_S
    change_s = start_s + (BEATS + pause) * BEAT_S
    for bar in range(BEATS // 8):
        notes += [(start_s + (8 * bar + place) * BEAT_S, key) for place, key in TUNE]
    for bar in range(4):
        notes += [(change_s + (8 * bar + place) * beat_after_s, key + 5) for place, key in TUNE]
    return notes, change_s


CHANGES = [(0.5, 0.6), (1.5, 0.6), (3.5, 0.6), (0.0, 60 / 80), (0.0, 60 / 120), (0.0, 60 / 133)]


@pytest.mark.parametrize(("pause", "beat_s"), CHANGES)
def test_the_beat_is_found_again_within_two_bars(pause: float, beat_s: float) -> None:
    notes, change_s = tune_that_changes(pause, beat_s)
    beats = [s for s in steps_of(notes) if s.is_beat and s.time_s > change_s + WITHIN * beat_s - 0.1]
    off = np.array([(s.time_s - change_s) / beat_s for s in beats])
    assert len(beats) >= 3 * 8 - 2
    assert np.abs(off - np.rint(off)).max() < 0.12


@pytest.mark.parametrize("pause", [0.5, 1.5, 3.5])
def test_after_a_pause_the_lock_is_low_until_the_beat_is_found(pause: float) -> None:
    notes, change_s = tune_that_changes(pause, BEAT_S)
    steps = steps_of(notes)
    assert sum(step.is_beat and 0 < step.time_s - change_s < WITHIN * BEAT_S for step in steps) >= WITHIN - 4
    # the first beat after the note that comes late is told from this note
    for step in steps:
        beats = (step.time_s - change_s) / BEAT_S
        if step.is_beat and 0.2 < beats < WITHIN and abs(beats - round(beats)) > 0.17:
            assert step.lock < 0.5, f"{beats:.2f} beats after the pause"


@pytest.mark.parametrize("places", [(0, 1, 1.5, 4.25, 4.75, 6.25, 7.75), (0, 1, 1.5, 4.5, 4.75, 6.25, 7.75)])
def test_a_written_rest_that_ends_off_the_beat_leaves_the_beat_as_it_is(places: tuple[float, ...]) -> None:
    """Places in beats of two bars, which are repeated in strict time. A rest ends a sixteenth or an eighth too late."""
    notes, start_s = [(i * BEAT_S, 72) for i in range(4)], 4 * BEAT_S
    for bar in range(6):
        notes += [(start_s + (8 * bar + place) * BEAT_S, 60 + int(place * 7) % 13) for place in places]
    beats = np.array([(step.time_s - start_s) / BEAT_S for step in steps_of(notes) if step.is_beat])
    assert len(beats) >= 6 * 8 - 2
    assert np.abs(beats - np.rint(beats)).max() < 0.12


PLAIN = (0, 1, 1.5, 2, 3, 3.5, 4, 5, 5.5, 6)
OFF_THE_BEAT = (0.5, 1.5, 2, 2.5, 3.5, 4.5, 5.5, 6)
FROM_AN_EIGHTH_ON = (0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4.5, 5, 5.5, 6.5, 7, 7.5)


@pytest.mark.parametrize("after", [(OFF_THE_BEAT,) * 4, (FROM_AN_EIGHTH_ON, PLAIN, PLAIN, PLAIN)])
@pytest.mark.parametrize("seed", range(3))
def test_a_rest_that_ends_where_the_tune_often_has_notes_leaves_the_beat_as_it_is(
    after: tuple[tuple[float, ...], ...], seed: int
) -> None:
    """Twice two bars with eighths off the beat, and a rest of two beats and a half. What follows is in strict time."""
    keys = np.random.default_rng(seed)
    notes, start_s = [(i * BEAT_S, 72) for i in range(4)], 4 * BEAT_S
    for bar, places in enumerate((PLAIN, PLAIN, *after)):
        notes += [(start_s + (8 * bar + place) * BEAT_S, int(keys.integers(60, 74))) for place in places]
    beats = np.array([(step.time_s - start_s) / BEAT_S for step in steps_of(notes) if step.is_beat])
    assert len(beats) >= 6 * 8 - 3
    assert np.abs(beats - np.rint(beats)).max() < 0.12


def test_before_the_pause_the_lock_is_high() -> None:
    notes, change_s = tune_that_changes(1.5, BEAT_S)
    lock = [s.lock for s in steps_of(notes) if 6 < s.time_s < change_s - 2 * BEAT_S]
    assert min(lock) > 0.5


def test_a_storm_of_notes_is_joined_to_chords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The costly part runs once a chord, so 5,500 notes a second cost no more than a fast trill."""
    heard: list[float] = []
    hear = Hypotheses.hear

    def counted(self: Hypotheses, onset_s: float, *others: Any) -> None:
        heard.append(onset_s)
        hear(self, onset_s, *others)

    monkeypatch.setattr(Hypotheses, "hear", counted)
    rng = np.random.default_rng(3)
    keys = rng.integers(21, 109, 5500).tolist()
    steps_of([(i / 5500, key) for i, key in enumerate(keys)])
    assert 10 < len(heard) <= 1 / SAME_ONSET_S
    assert np.diff(heard).min() >= SAME_ONSET_S


@pytest.mark.parametrize("count_in", [0, 4])
@pytest.mark.parametrize("meter", ["4/4", "6/8", "5/4"])
def test_the_work_for_one_onset_is_limited(monkeypatch: pytest.MonkeyPatch, meter: str, count_in: int) -> None:
    """The time of a hop depends on the machine. These numbers are what the time of the clock grows with."""
    looked_at, worked_out, kept = [0], [0], [0]
    prior_of, split, hear = Hypotheses._prior_of, Hypotheses._split, Hypotheses.hear

    def counted_prior(self: Hypotheses, whole: Any, parent: Any, *others: Any) -> Any:
        looked_at.append(len(parent))
        return prior_of(self, whole, parent, *others)

    def counted_split(self: Hypotheses, bank: Any, *others: Any) -> Any:
        worked_out.append(len(bank))
        return split(self, bank, *others)

    def counted_hear(self: Hypotheses, *others: Any) -> None:
        hear(self, *others)
        assert self.bank is not None
        kept.append(len(self.bank))

    monkeypatch.setattr(Hypotheses, "_prior_of", counted_prior)
    monkeypatch.setattr(Hypotheses, "_split", counted_split)
    monkeypatch.setattr(Hypotheses, "hear", counted_hear)
    rng = np.random.default_rng(5)
    # free gaps and keys, so that many hypotheses stay likely
    onsets_s = 5 * BEAT_S + np.cumsum(rng.uniform(0.05, 1.5, 120))
    counts = [(BEAT_S * (i + 1), 72) for i in range(count_in)]
    keys = rng.integers(48, 84, len(onsets_s)).tolist()
    steps_of([*counts, *zip(onsets_s.tolist(), keys, strict=True)], FollowClock(Meter.parse(meter), count_in))
    assert len(kept) > 100
    assert 0 < max(looked_at) <= LOOKED_AT
    assert 0 < max(worked_out) <= WORKED_OUT
    # KEPT, the moved copies of one hypothesis, those at other tempi, and the steady grid
    assert KEPT < max(kept) <= 2 * KEPT


@pytest.mark.parametrize("count_in", [None, 0, 4])
@pytest.mark.parametrize("meter", ["4/4", "6/8", "7/8"])
def test_the_tables_are_built_when_the_clock_is_made_and_none_while_it_runs(meter: str, count_in: int | None) -> None:
    """A table takes tens of milliseconds, which is longer than a hop."""
    tables = (next_prior, sixteenths_of, rhythm_of)
    for table in tables:
        table.cache_clear()
    clock = FollowClock(Meter.parse(meter), count_in)
    built = [table.cache_info().misses for table in tables]
    assert built[0] == 2 and all(built)
    keys = np.random.default_rng(3).integers(21, 109, 5500).tolist()
    counts = [(BEAT_S * i, 72) for i in range(4)]
    steps = steps_of([*counts, *((4 * BEAT_S + i / 5500, key) for i, key in enumerate(keys))], clock)
    assert steps
    clock.reset()
    assert [table.cache_info().misses for table in tables] == built


@pytest.mark.parametrize("seed", range(3))
def test_a_player_who_strikes_two_chords_every_two_bars_is_not_lost_for_good(seed: int) -> None:
    """The rests are six beats long. A hypothesis may leave out some onsets, and must not leave out all from then on."""
    rng, beat_s = np.random.default_rng(seed), 0.44
    notes = [(1.0 + beat_s * count, 72) for count in range(4)]
    for bars in range(10):
        for place, chord in ((5.0, (64, 69, 74, 79, 83)), (6.64, (62, 67, 72, 77, 81))):
            at_s = 1.0 + beat_s * (4 + 8 * bars + place) + 0.015 * rng.normal()
            notes += [(at_s + 0.004 * i, key) for i, key in enumerate(chord)]
    clock = FollowClock(FOUR)
    steps_of(notes, clock)
    bank = clock._hypotheses.bank
    assert clock.counted_in and bank is not None
    assert notes[-1][0] - float(bank.real[TIME, 0]) < 8 * beat_s


@settings(max_examples=25, deadline=None)
@given(
    gaps_s=st.lists(st.one_of(st.floats(0.05, 0.9), st.floats(0.9, 5.0)), min_size=5, max_size=40),
    keys=st.lists(st.integers(48, 84), min_size=40, max_size=40),
)
def test_steps_come_in_order_and_keep_a_distance(gaps_s: list[float], keys: list[int]) -> None:
    """A step that is held back or brought forward is given once, after the step before it, and not too close to it."""
    onsets_s = np.cumsum(gaps_s).tolist()
    counts = [(0.5 * i, 72) for i in range(4)]
    steps = steps_of([*counts, *((1.5 + t, key) for t, key in zip(onsets_s, keys, strict=False))])
    assert steps
    for before, after in zip(steps, steps[1:], strict=False):
        assert after.index == before.index + 1
        assert after.time_s - before.time_s >= LEAST_GAP * after.length_s - 1e-9
