"""The recurrent net of `lock`, its inputs, and what they make of a slipped grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.following.follow_clock import FollowClock
from device.following.gru import Gru
from device.following.lock_inputs import INPUTS
from device.following.lock_net import HIDDEN, LARGEST, SILENCES, UNITS, LockNet, LockWeights, lock_weights
from device.following.rhythm import Floats

TUNE = [(2.4 + 0.3 * i, 60 + (0, 2, 4, 5, 7, 5, 4, 2)[i % 8]) for i in range(48)]


def a_clock(counted: bool, meter: str = "4/4") -> FollowClock:
    return FollowClock(Meter.parse(meter), 4 if counted else 0)


def inputs_of(notes: list[tuple[float, int]], clock: FollowClock) -> list[Floats]:
    """Return the inputs of the net of `clock` for each onset of `notes` (onset in seconds, pitch)."""
    seen, step = list[Floats](), clock._history.step

    def keep(inputs: Floats) -> None:
        seen.append(inputs)
        step(inputs)

    clock._history.step = keep  # type: ignore[method-assign]
    for onset_s, pitch in notes:
        clock.hear(onset_s, onset_s, pitch)
    return seen


def counts(beat_s: float = 0.6) -> list[tuple[float, int]]:
    return [(beat_s * i, 72) for i in range(4)]


def test_the_shipped_weights_have_the_shapes_of_the_net() -> None:
    w = lock_weights()
    assert w.mean.shape == w.spread.shape == (INPUTS + SILENCES,) and (w.spread > 0).all()
    assert w.new.shape == (INPUTS, 3 * UNITS) and w.past.shape == (UNITS, 3 * UNITS)
    assert w.hidden.shape == (UNITS + SILENCES, HIDDEN) and w.answer.shape == (HIDDEN,)
    assert all(np.isfinite(values).all() for values in w)


@pytest.mark.parametrize("counted", [True, False])
def test_after_a_count_in_it_reads_each_onset_once_and_no_chord_twice(counted: bool) -> None:
    chords = [note for onset_s, pitch in TUNE for note in ((onset_s, pitch), (onset_s + 0.01, pitch + 4))]
    seen = inputs_of((counts() if counted else []) + chords, a_clock(counted))
    assert len(seen) == len(TUNE) * counted
    assert all(inputs.shape == (INPUTS,) and np.isfinite(inputs).all() for inputs in seen)


def test_it_sees_that_the_grid_moves_when_the_player_comes_late() -> None:
    late = TUNE[:24] + [(onset_s + 0.18, pitch) for onset_s, pitch in TUNE[24:]]
    seen = np.array(inputs_of(counts() + late, a_clock(True)))
    # four times the beats by which an onset moves the grid
    assert seen[8:24, 0].max() < 1e-6 and seen[24:30, 0].max() > 0.05


def test_another_tempo_of_the_same_music_is_told_from_the_counted_one() -> None:
    slow = [(2.0 * onset_s, pitch) for onset_s, pitch in counts() + TUNE]
    fast, slow_seen = (inputs_of(notes, a_clock(True))[-1] for notes in (counts() + TUNE, slow))
    differ = np.flatnonzero(np.abs(fast - slow_seen) > 0.05)
    # the parts of the clock that know seconds make something else of them
    assert 0 < len(differ) < INPUTS / 2


def test_a_new_count_in_forgets_the_history() -> None:
    clock = a_clock(True)
    inputs_of(counts() + TUNE, clock)
    assert np.abs(clock._history._gru.memory).max() > 0
    clock._history.begin(0.5)
    assert not clock._history._gru.memory.any()
    clock.reset()
    assert not clock._history._gru.memory.any()


def test_a_beat_is_judged_by_the_memory_and_the_silence() -> None:
    rng, clock = np.random.default_rng(3), a_clock(True)
    w = LockWeights(*(np.asarray(rng.normal(0.2, 0.5, v.shape), np.float32) for v in lock_weights()))
    w = w._replace(spread=np.abs(w.spread) + 0.5)
    net = LockNet(clock._history._inputs, w)
    alone = Gru(w.past, w.past_bias)
    x = rng.normal(0, 3, INPUTS)
    net.step(x)
    z = np.clip((x - w.mean[:INPUTS]) / w.spread[:INPUTS], -LARGEST, LARGEST)
    alone.step((z @ w.new + w.bias).astype(np.float32))
    silence = (np.array([3.0 / 2, math.log(3.05) / 2]) - w.mean[INPUTS:]) / w.spread[INPUTS:]
    hidden = np.tanh(np.append(alone.memory, np.clip(silence, -LARGEST, LARGEST)) @ w.hidden + w.hidden_bias)
    assert net.log_odds(3.0) == pytest.approx(float(hidden @ w.answer + w.answer_bias[0]), abs=1e-3)


def test_it_trusts_a_plain_tune_more_than_random_notes() -> None:
    rng = np.random.default_rng(2)
    at_s = 2.4 + np.cumsum(rng.uniform(0.12, 0.9, 48))
    noise = [(float(onset_s), int(pitch)) for onset_s, pitch in zip(at_s, rng.integers(55, 85, 48), strict=True)]
    odds = []
    for notes in (TUNE, noise):
        clock = a_clock(True)
        inputs_of(counts() + notes, clock)
        odds.append(clock._history.log_odds(0.5))
    assert odds[0] > 1.0 and odds[1] < odds[0] - 1.0


@settings(max_examples=20, deadline=None)
@given(
    gaps_s=st.lists(st.one_of(st.floats(0.0, 0.1), st.floats(0.1, 2.0), st.floats(2.0, 1e4)), max_size=25),
    keys=st.lists(st.integers(0, 127), min_size=25, max_size=25),
    counted=st.booleans(),
    meter=st.sampled_from(["4/4", "6/8", "7/8", "3/8"]),
)
def test_any_onsets_leave_finite_inputs_and_odds(
    gaps_s: list[float], keys: list[int], counted: bool, meter: str
) -> None:
    clock = a_clock(counted, meter)
    at_s = (2.4 + np.cumsum(gaps_s)).tolist()
    seen = inputs_of((counts() if counted else []) + list(zip(at_s, keys, strict=False)), clock)
    assert all(np.isfinite(inputs).all() for inputs in seen)
    assert all(math.isfinite(clock._history.log_odds(beats)) for beats in (0.0, 1e-9, 5.0, 1e9))
