"""The walking bass of the style "swing": roots with new chords, steps between them, one key at a time, in time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.step import Step
from device.left_hand.accompanist import Accompanist, Plan
from device.left_hand.harmony import Chord
from device.left_hand.player import LeftHand
from device.left_hand.tonality import tonic_triad
from device.left_hand.walking import HIGHEST, LOWEST, WalkingBass
from device.settings.choices import Steering
from tests.unit.helpers.nets import EchoNet
from tests.unit.helpers.steps_and_tunes import grid, melody, played
from training.playing_figures.playable import rows_of


def plan_on(triad: int, top: int | None = None, ceiling: int = 72, key: int = 0) -> Plan:
    """A plan on the triad with this number (see `tonic_triad`), in a key that is C major if it is not given."""
    plan = Plan(False, tonic_triad(triad), np.zeros(12), np.zeros(13), 0.5, 0.5, 0.3, ceiling, top, 80.0, 1.0)
    plan.tonic = tonic_triad(key)
    return plan


def walked(triads: list[int], meter: str = "4/4", register: int = 0, ceiling: int = 72) -> list[tuple[Step, int]]:
    """The steps of the beats of bars on these triads, each with the key that is struck."""
    bass, steps = WalkingBass(), grid(len(triads) * Meter.parse(meter).steps_per_bar, meter)
    found = []
    for step in steps:
        if step.is_beat:
            bar = step.index // step.meter.steps_per_bar
            key = bass.key(plan_on(triads[bar], ceiling=ceiling), step, register)
            assert key is not None
            found.append((step, key))
    return found


@settings(max_examples=60, deadline=None)
@given(
    triads=st.lists(st.integers(0, 23), min_size=2, max_size=12),
    meter=st.sampled_from(["2/4", "3/4", "4/4", "5/4", "6/8"]),
    register=st.integers(-12, 12),
    ceiling=st.integers(50, 90),
)
def test_it_walks_on_chord_tones_and_never_stands_still(
    triads: list[int], meter: str, register: int, ceiling: int
) -> None:
    keys = walked(triads, meter, register, ceiling)
    before: int | None = None
    for (step, key), (_, last) in zip(keys, [keys[0], *keys], strict=False):
        triad = triads[step.index // step.meter.steps_per_bar]
        chord: Chord = tonic_triad(triad)
        if step.is_bar:
            assert key % 12 in chord.classes
            # a new root is struck on the bar line, if it was not struck just before
            assert chord.root in (key % 12, last % 12, before)
            before = chord.root
        if 2 * step.position == step.meter.steps_per_bar and step.meter.beats_per_bar > 2:
            assert key % 12 in chord.classes
        assert LOWEST + register <= key or key >= 21
        assert key < ceiling and key <= HIGHEST + register
        if step.index:
            assert 0 < abs(key - last) <= 12


def test_most_of_its_moves_are_steps() -> None:
    keys = [key for _, key in walked([0, 5, 7, 0, 21, 14, 7, 0] * 4)]
    moves = np.abs(np.diff(keys))
    assert np.mean((moves == 1) | (moves == 2)) > 0.45
    assert np.mean(moves <= 5) > 0.9


@pytest.mark.parametrize("root", range(12))
def test_the_last_beat_of_a_bar_leads_to_a_likely_root(root: int) -> None:
    """After a major triad its own root and the one a fifth lower follow most often."""
    bass = WalkingBass()
    for step in grid(16)[::4]:
        key = bass.key(plan_on(root, key=root), step)
    assert key is not None and {(key - root) % 12, (key - root - 5) % 12} & {1, 2, 10, 11}


def test_it_avoids_a_semitone_under_the_melody_and_leaves_room_for_the_right_hand() -> None:
    step = grid(5)[4]
    for top in range(60, 72):
        bass = WalkingBass()
        bass.key(plan_on(0), grid(1)[0])
        key = bass.key(plan_on(0, top=top), step)
        assert key is not None and (top - key) % 12 not in (1, 11)
    assert WalkingBass().key(plan_on(0, ceiling=LOWEST), step) is None


@pytest.mark.parametrize(("variation", "struck"), [(1, {0, 4, 8, 12}), (2, {0, 4, 7, 8, 12, 15})])
@pytest.mark.parametrize("seed", range(3))
def test_swing_strikes_one_key_on_each_beat(variation: int, struck: set[int], seed: int) -> None:
    hand = LeftHand(Accompanist(EchoNet(seed)), Steering("swing", variation=variation))
    rows = rows_of(played(hand, melody(320, 0.125, seed, 60), grid(320)))
    rows = rows[rows[:, 0] < 1.0 + 288 * 0.125]
    at = np.rint((rows[:, 0] - 1.0) / 0.125).astype(int)
    assert len(at) > 40 and len(set(at.tolist())) == len(at)
    assert {int(step) % 16 for step in at} == struck
    # without the beginning every bar has all of them
    bars = {step // 16 for step in at.tolist() if step >= 64}
    for bar in bars - {max(bars)}:
        assert {int(step) % 16 for step in at if step // 16 == bar} == struck


def test_after_a_rest_it_begins_again_near_its_place() -> None:
    bass, steps = WalkingBass(), grid(33)
    first = bass.key(plan_on(0), steps[0])
    for step in steps[4:32:4]:
        bass.key(plan_on(9), step)
    bass.reset()
    assert bass.key(plan_on(0), steps[32]) == first
