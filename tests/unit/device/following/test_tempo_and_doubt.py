"""The tempo of the clock that follows: its limits, the control that holds it, new taps, and why its lock is low."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.step import DOUBTED, Step
from device.engine import Engine
from device.events import Doubt
from device.following.follow_clock import FollowClock
from device.make_clock import make_clock
from device.settings.config import parse_config
from device.settings.controls import HoldTempo

FOUR = Meter(4, 4)
TUNE = (60, 62, 64, 65, 67, 65, 64, 62)
COUNT = (72,) * 4
RHYTHM = (0.0, 1.0, 1.5, 2.0, 3.0)
"""Places of the notes of a bar, in beats."""


def tune(first_s: float, beat_s: float, bars: int) -> list[float]:
    return [first_s + (4 * bar + place) * beat_s for bar in range(bars) for place in RHYTHM]


def counted(beat_s: float, start_s: float = 1.0) -> list[float]:
    return [start_s + i * beat_s for i in range(4)]


def steps_of(
    clock: FollowClock,
    onsets_s: Sequence[float],
    end_s: float | None = None,
    counts: int = 4,
    at: Sequence[tuple[float, Callable[[float], None]]] = (),
) -> list[Step]:
    """Return all steps. The first `counts` notes are on one key. `at` holds things to do, with their times."""
    keys = [*COUNT[:counts], *(TUNE[i % len(TUNE)] for i in range(len(onsets_s)))]
    waiting, doing = list(zip(onsets_s, keys, strict=False)), sorted(at, key=lambda a: a[0])
    steps: list[Step] = []
    for now_s in np.arange(0.0, (onsets_s[-1] + 0.5) if end_s is None else end_s, 0.016).tolist():
        while doing and doing[0][0] <= now_s:
            doing.pop(0)[1](now_s)
        while waiting and waiting[0][0] <= now_s:
            onset_s, pitch = waiting.pop(0)
            clock.hear(onset_s, now_s, pitch)
        while (step := clock.due(now_s)) is not None:
            steps.append(step)
    return steps


def beat_lengths(steps: list[Step], from_s: float, to_s: float = 1e9) -> list[float]:
    return [4 * step.length_s for step in steps if from_s < step.time_s < to_s]


@pytest.mark.parametrize("beat_s", [0.48, 0.75])
def test_the_tempo_drifts_no_further_from_the_count_in_than_is_allowed(beat_s: float) -> None:
    onsets_s = counted(0.6) + tune(3.4, 0.6, 2) + tune(8.2, beat_s, 12)
    free = beat_lengths(steps_of(FollowClock(FOUR), onsets_s), 20.0)
    assert np.median(free) == pytest.approx(beat_s, rel=0.03)
    kept = beat_lengths(steps_of(FollowClock(FOUR, max_drift=0.1), onsets_s), 0.0)
    assert min(kept) >= 0.6 / 1.1 - 1e-6 and max(kept) <= 0.6 / 0.9 + 1e-6


def test_without_a_count_in_the_given_tempo_limits_the_drift() -> None:
    clock = FollowClock(FOUR, count_in=0, tempo=100.0, max_drift=0.05)
    lengths = beat_lengths(steps_of(clock, tune(1.0, 0.5, 14), counts=0), 0.0)
    assert lengths and min(lengths) >= 0.6 / 1.05 - 1e-6 and max(lengths) <= 0.6 / 0.95 + 1e-6


def test_a_held_tempo_stays_while_the_player_slows_down_and_is_followed_again_afterwards() -> None:
    clock = FollowClock(FOUR)
    slow = [0.6 + 0.004 * i for i in range(40)]
    beats_s = 8.2 + np.concatenate([[0.0], np.cumsum(slow)])
    onsets_s = counted(0.6) + tune(3.4, 0.6, 2) + beats_s.tolist()
    let_go_s = float(beats_s[20])
    steps = steps_of(
        clock, onsets_s, at=[(8.0, lambda _: clock.hold_tempo(True)), (let_go_s, lambda _: clock.hold_tempo(False))]
    )
    held = beat_lengths(steps, 8.1, let_go_s - 0.1)
    assert len(held) > 60 and np.ptp(held) < 1e-9
    assert held[0] == pytest.approx(0.6, rel=0.03)
    assert not clock.tempo_held
    assert np.median(beat_lengths(steps, float(beats_s[32]))) == pytest.approx(slow[36], rel=0.06)


@pytest.mark.parametrize("held", [False, True])
def test_four_taps_give_a_new_tempo_at_any_time(held: bool) -> None:
    clock = FollowClock(FOUR, max_drift=0.02)
    clock.hold_tempo(held)
    taps_s = [13.0 + 0.45 * i for i in range(4)]
    music = tune(taps_s[-1] + 0.45, 0.45, 8)
    onsets_s = counted(0.6) + tune(3.4, 0.6, 4)
    steps = steps_of(clock, onsets_s + music, at=[(at_s, clock.tap) for at_s in taps_s])
    late = [step for step in steps if step.time_s > music[0] - 0.1]
    assert late[0].is_bar
    assert np.median(beat_lengths(late, 0.0)) == pytest.approx(0.45, rel=0.03)
    true = taps_s[-1] + 0.45 * np.arange(1, 32)
    assert all(np.abs(true - step.time_s).min() < 0.07 for step in late if step.is_beat and step.time_s < true[-1])
    assert clock.tempo_held == held


def test_a_tempo_held_before_any_beat_is_that_of_the_count_in() -> None:
    clock = FollowClock(FOUR)
    clock.hold_tempo(True)
    assert np.ptp(beat_lengths(steps_of(clock, counted(0.6) + tune(3.4, 0.57, 8)), 0.0)) < 1e-9


def test_the_engine_holds_the_tempo_and_shows_it() -> None:
    engine = Engine(clock=FollowClock(FOUR))
    clock = engine._clock
    for action, held in ((HoldTempo(), True), (HoldTempo(), False), (HoldTempo(True), True), (HoldTempo(True), True)):
        assert engine.act(action, 1.0) == []
        assert clock.tempo_held is held
    fixed = FixedClock(100.0, FOUR)
    fixed.hold_tempo(True)
    assert not fixed.tempo_held


def test_the_setting_reaches_the_clock() -> None:
    text = '[audio]\ninput = "mic"\n[midi]\noutput = "piano"\n[clock]\nmax_drift = 0.1'
    settings = parse_config(text, "test").clock
    assert settings.max_drift == 0.1
    clock = make_clock("follow", max_drift=settings.max_drift)
    lengths = beat_lengths(steps_of(clock, counted(0.6) + tune(3.4, 0.48, 12)), 0.0)  # type: ignore[arg-type]
    assert min(lengths) >= 0.6 / 1.1 - 1e-6


def test_a_silence_is_the_reason_of_a_low_lock_and_is_counted_in_beats() -> None:
    onsets_s = counted(0.6) + tune(3.4, 0.6, 6)
    steps = steps_of(FollowClock(FOUR), onsets_s, end_s=onsets_s[-1] + 15.0)
    assert all((step.doubt is not None) == (step.lock < DOUBTED) for step in steps)
    last = [step for step in steps if step.is_beat][-1]
    assert last.doubt is not None and last.doubt.kind == "silence"
    assert last.doubt.beats is not None
    assert abs(last.doubt.beats - (last.time_s - onsets_s[-1]) / 0.6) < 1.5
    assert all(step.doubt is None for step in steps if 8.0 < step.time_s < onsets_s[-1])


def test_before_many_notes_without_a_count_in_the_reason_is_that_they_are_few() -> None:
    steps = steps_of(FollowClock(FOUR, count_in=0), tune(1.0, 0.6, 8), counts=0)
    assert steps[0].doubt == Doubt("few onsets")


def test_a_count_in_that_the_music_contradicts_is_named() -> None:
    onsets_s = counted(0.6) + tune(3.4, 0.42, 16)
    kinds = {step.doubt.kind for step in steps_of(FollowClock(FOUR), onsets_s) if step.doubt is not None}
    assert kinds & {"count-in", "other tempo"}


def test_random_notes_have_a_reason() -> None:
    gaps_s = np.random.default_rng(1).uniform(0.15, 0.9, 60)
    steps = steps_of(FollowClock(FOUR), counted(0.6) + (3.4 + np.cumsum(gaps_s)).tolist())
    kinds = {step.doubt.kind for step in steps if step.doubt is not None}
    assert kinds and kinds <= {"other tempo", "other place", "uneven", "count-in"}
