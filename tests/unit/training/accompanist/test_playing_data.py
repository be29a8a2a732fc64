"""Pieces become what the device would have heard, and what the left hand did."""

from __future__ import annotations

import numpy as np
import pytest

from device.events import Note
from training.accompanist.data import HearingErrors, grid_of, heard, jump, listen, sequence_of, targets_of
from training.corpora.pieces import HandLabel, Piece, as_notes


def piece(meter: tuple[int, int] = (4, 4), pickup: float = 0.0, bars: int = 8) -> Piece:
    bar = meter[0] * 4 / meter[1]
    end = pickup + bars * bar
    right = [(q, 0.5, 72 + int(q) % 5, 80, HandLabel.RIGHT) for q in np.arange(0.0, end, 0.5)]
    left = [(q, bar, 48, 70, HandLabel.LEFT) for q in np.arange(pickup, end, bar)]
    rows = np.array([*right, *left], dtype=float)
    downbeats = np.arange(pickup, end - 1e-6, bar)
    return Piece("p", "lieder", "p", "p", "train", as_notes(*rows.T), [(0.0, *meter)], downbeats)


@pytest.mark.parametrize(("meter", "steps"), [((4, 4), 16), ((3, 4), 12), ((2, 4), 8), ((6, 8), 12)])
def test_a_bar_has_its_meters_steps(meter: tuple[int, int], steps: int) -> None:
    grid, quarters = grid_of(piece(meter))
    assert len(grid) == 8 * steps
    assert [step.position for step in grid] == list(range(steps)) * 8
    assert np.allclose(np.diff(quarters), 0.25)


def test_a_pickup_is_the_end_of_its_bar() -> None:
    grid, quarters = grid_of(piece((3, 4), pickup=1.0))
    assert [step.position for step in grid[:5]] == [8, 9, 10, 11, 0]
    assert quarters[4] == 1.0


def test_step_times_rise_and_lengths_lead_from_one_to_the_next() -> None:
    grid, _ = grid_of(piece(), tempo=120)
    times = np.array([step.time_s for step in grid])
    assert np.allclose(np.diff(times), [step.length_s for step in grid[1:]])
    assert grid[0].length_s == pytest.approx(0.125)


def test_targets_say_what_sounds_and_what_is_struck() -> None:
    quarters = np.arange(32) * 0.25
    left = as_notes([0.0, 1.02, 4.0], [1.0, 0.5, 2.0], [48, 55, 43], 64, HandLabel.LEFT)
    targets = targets_of(quarters, left)
    assert set(np.flatnonzero(targets.sounding[0])) == {0}
    assert set(np.flatnonzero(targets.sounding[4])) == {7}
    assert targets.ahead[2, 0] == 2 and targets.ahead[2, 7] == 2
    assert list(targets.bass[[0, 4, 8, 16]]) == [0, 7, 12, 7]
    assert list(np.flatnonzero(targets.strike[:, 0])) == [0, 4, 16]
    assert not targets.strike[:, 1].any()


def test_nothing_is_decided_before_it_sounds() -> None:
    rng = np.random.default_rng(0)
    p = piece()
    manner = HearingErrors(latency_s=0.05, jitter_s=0.02, missed=0.1, ghosts=0.2)
    events = heard(p, p.of(HandLabel.RIGHT), 100.0, manner, rng)
    assert all(e.decided_s >= e.onset_s + 0.05 for e in events if isinstance(e, Note))
    decided = [e.decided_s for e in events]
    assert decided == sorted(decided)


def test_a_later_decision_is_known_later() -> None:
    p = piece()
    grid, _ = grid_of(p)
    known = [
        listen(
            grid, heard(p, p.of(HandLabel.RIGHT), 96.0, HearingErrors(latency_s=late), np.random.default_rng(0))
        ).onsets.any(axis=1)
        for late in (0.0, 0.05)
    ]
    assert list(np.flatnonzero(known[0])[:3]) == [1, 3, 5]
    assert list(np.flatnonzero(known[1])[:3]) == [2, 4, 6]


def test_both_hands_jump_together() -> None:
    p = piece()
    right, left = jump(p.of(HandLabel.RIGHT), p.of(HandLabel.LEFT), np.random.default_rng(1))
    moved_right = (right["pitch"].astype(int) - p.of(HandLabel.RIGHT)["pitch"]) % 12
    moved_left = (left["pitch"].astype(int) - p.of(HandLabel.LEFT)["pitch"]) % 12
    assert moved_right[0] == 0 and moved_right[-1] != 0
    assert moved_left[-1] in (0, moved_right[-1])


def test_a_sequence_has_as_many_inputs_as_targets() -> None:
    sequence = sequence_of(piece(bars=20), np.random.default_rng(0))
    assert sequence is not None
    assert len(sequence.x) == len(sequence.targets.bass) == 20 * 16
    assert sequence_of(piece(bars=2), np.random.default_rng(0)) is None
