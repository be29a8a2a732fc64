"""Passages that come again, and what they do to the weights of the hypotheses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.following import repeats
from device.following.bank import QUARTER_S, TICK, TIME, WEIGHT, HypothesisBank
from device.following.follow_clock import FollowClock
from device.following.next_onset import QUARTER
from device.following.repeats import LEAST_ONSETS, NEAR, Repeat, Repeats
from tests.unit.helpers.player import at_once, listen

BEAT_S = 0.5
THEME = ((0.0, 72), (0.75, 74), (1.0, 76), (2.0, 79), (2.5, 77), (3.0, 76), (3.25, 74), (4.0, 72), (5.0, 67), (6.5, 69))
"""Eight beats: place in beats, and key."""
OTHER = tuple((float(i), 60 + (5 * i) % 7) for i in range(12))


def bank_at(ticks: list[int], weight: list[float], onset_s: float) -> HypothesisBank:
    return HypothesisBank.new(
        onset_s,
        np.full(len(ticks), BEAT_S),
        tick=np.array(ticks),
        manner=np.zeros(len(ticks), np.int64),
        weight=np.array(weight),
        variance=(1e-4, 1e-4),
        gap=QUARTER,
    )


def after(notes: list[tuple[float, int]], memory: Repeats | None = None) -> Repeats:
    """Hear the notes (time in beats, key), each at its true place in a bar of four beats with a lock of .8."""
    memory, before = memory or Repeats(QUARTER), notes[0][1]
    for beat, key in notes:
        memory.hear(beat * BEAT_S, key, key - before)
        memory.keep(bank_at([round(beat * QUARTER) % (4 * QUARTER)], [1.0], beat * BEAT_S), 0.8)
        before = key
    return memory


def again(
    late: float, *, keys: int = 0, stretched: float = 1.0, onsets: int = len(THEME), slips: int = 0
) -> list[tuple[float, int]]:
    """The theme, other notes for twelve beats, and the theme again: late by so many beats, higher by so many semitones,
    stretched in time, and its first notes only. Every `slips`th gap of it is doubled."""
    notes = [*THEME, *((8 + beat, key) for beat, key in OTHER)]
    extra = 0.0
    for i, (beat, key) in enumerate(THEME[:onsets]):
        extra += 1.0 if slips and i % slips == 0 else 0.0
        notes.append((20 + late + stretched * beat + extra, key + keys))
    return notes


@pytest.mark.parametrize("late", [0.0, 0.25, 0.5, 1.3])
@pytest.mark.parametrize("onsets", range(LEAST_ONSETS, len(THEME) + 1))
def test_a_theme_that_comes_again_has_the_place_that_it_had(late: float, onsets: int) -> None:
    found = after(again(late, onsets=onsets)).found
    assert found is not None
    assert (found.tick, found.onsets) == (round(THEME[onsets - 1][0] * QUARTER) % (4 * QUARTER), onsets)
    assert found.lock == 0.8


@pytest.mark.parametrize(
    "notes",
    [
        again(0.0, onsets=LEAST_ONSETS - 1),
        again(0.0, keys=1),
        again(0.0, slips=2),
        again(0.0, stretched=2.0),
        [(i / 2, 72 + 2 * (i % 2)) for i in range(60)],
        [(i / 4, 72 + (2 * i) % 7) for i in range(60)],
        [*THEME[:6], *((3.1 + beat, key) for beat, key in THEME[:6])],
    ],
)
def test_a_short_passage_other_keys_gaps_or_tempo_two_keys_and_figures_that_go_on_are_no_repeat(
    notes: list[tuple[float, int]],
) -> None:
    assert after(notes).found is None


def test_a_chord_agrees_by_its_top_key_and_the_last_onset_by_its_first_key() -> None:
    memory, before = Repeats(QUARTER), 0
    for beat, key in again(0.0):
        # each onset is a chord whose lower key comes first
        memory.hear(beat * BEAT_S, key - 4, key - 4 - before)
        memory.keep(bank_at([round(beat * QUARTER) % (4 * QUARTER)], [1.0], beat * BEAT_S), 0.8)
        before = key
    assert memory.found is not None and memory.found.onsets == len(THEME)


def test_the_older_onsets_are_forgotten_and_the_newer_ones_still_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "MOST_ONSETS", 60)
    memory = after(again(0.0))
    assert memory.found is not None
    memory = after([(40 + beat, key) for beat, key in again(0.0)], memory)
    assert memory.found is not None and memory.found.onsets == len(THEME)
    assert memory._count <= 60


def test_a_repeat_is_believed_more_if_it_is_longer_and_if_lock_was_higher_then_and_is_lower_now() -> None:
    one = Repeat(0, 0, 0.6, 8)
    assert one._replace(onsets=16).belief(0.5) > one.belief(0.5)
    assert one._replace(lock=0.8).belief(0.5) > one.belief(0.5)
    assert one.belief(0.3) > one.belief(0.5) > one.belief(0.8)


@given(st.integers(0, 4 * QUARTER - 1), st.lists(st.integers(0, 4 * QUARTER - 1), min_size=1, max_size=6))
def test_hypotheses_at_the_earlier_place_gain_and_all_weights_stay_in_order(tick: int, ticks: list[int]) -> None:
    memory, share = Repeats(QUARTER), np.arange(len(ticks), 0, -1.0)
    memory.found = Repeat(tick, 0, 0.8, 12)
    bank = bank_at(ticks, (share / share.sum()).tolist(), 10.0)

    def near(of: HypothesisBank) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        off = (of.whole[TICK] - tick + QUARTER / 2) % QUARTER - QUARTER / 2
        return np.asarray(np.abs(off) < NEAR * QUARTER)

    weighed = memory.reweighed(bank, 10.0, 0.3)
    if near(bank)[0]:
        assert weighed is bank
        return
    assert weighed.real[WEIGHT, near(weighed)].sum() > bank.real[WEIGHT, near(bank)].sum()
    assert weighed.real[WEIGHT].sum() == pytest.approx(1)
    assert (np.diff(weighed.real[WEIGHT]) <= 0).all()
    assert (weighed.real[TIME] == 10.0).all() and (weighed.real[QUARTER_S] == BEAT_S).all()


def test_without_a_repeat_nothing_changes() -> None:
    memory, bank = Repeats(QUARTER), bank_at([0, 6], [0.6, 0.4], 10.0)
    assert memory.reweighed(bank, 10.0, 0.3) is bank


def beats_off_in_the_last_theme(pause: float) -> list[float]:
    """Even sixteenths: a theme of eight beats three times, a pause, other notes, and the theme five times more.

    Return how far each told beat is from the nearest true one, in beats, in the last three themes.
    """
    rng = np.random.default_rng(0)
    theme, other = (rng.integers(60, 73, size).tolist() for size in (32, 64))
    keys = [*theme * 3, *other, *theme * 5]
    beats = 4 + np.arange(len(keys)) / 4 + np.where(np.arange(len(keys)) >= 96, pause, 0.0)
    notes = [(i * 0.6, 60) for i in range(4)] + [
        (beat * 0.6, key) for beat, key in zip(beats.tolist(), keys, strict=True)
    ]
    steps = listen(FollowClock(Meter(4, 4), 4), at_once(notes))
    told = [step.time_s / 0.6 - pause for step, _ in steps if step.is_beat]
    return [abs(beat - round(beat)) for beat in told if beat > 4 + 24 + 16 + 16]


@pytest.mark.parametrize("pause", [0.25, 0.75])
def test_a_theme_that_comes_again_ends_a_loss_that_lasts_without_it(
    pause: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    off = beats_off_in_the_last_theme(pause)
    assert len(off) > 20 and max(off) < 0.12
    monkeypatch.setattr(Repeats, "reweighed", lambda _, bank, *__: bank)
    assert min(beats_off_in_the_last_theme(pause)) > 0.12
