"""The trained listeners: they tell apart what differs, on pieces that they have not learnt, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from training.playing_figures import roll_net
from training.playing_figures.figures_on_chords import roll_from
from training.playing_figures.told_apart import accuracy, folds

PIECES, WINDOWS = 20, 12
GROUPS = np.repeat(np.arange(PIECES), WINDOWS)
LABELS = np.tile([0, 1], PIECES * WINDOWS // 2)


def test_a_piece_is_never_learnt_and_judged_in_one_part() -> None:
    judged = []
    for learn, judge in folds(GROUPS):
        assert not set(GROUPS[learn]) & set(GROUPS[judge])
        judged += judge.tolist()
    assert sorted(judged) == list(range(len(GROUPS)))


def test_a_difference_is_heard_and_noise_is_not() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(len(LABELS), 30))
    assert 0.4 < accuracy(noise, LABELS, GROUPS) < 0.6
    different = noise.copy()
    different[:, 3] += 3.0 * LABELS
    different[::7, 5] = np.nan
    assert accuracy(different, LABELS, GROUPS) > 0.85


def test_what_only_marks_a_piece_is_of_no_use() -> None:
    marks = np.random.default_rng(2).normal(size=(PIECES, 30))[GROUPS]
    assert accuracy(marks, LABELS, GROUPS) == pytest.approx(0.5, abs=0.1)


def test_one_piece_is_too_few() -> None:
    assert np.isnan(accuracy(np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.zeros(4, np.int64)))
    assert np.isnan(roll_net.net_accuracy(np.zeros((4, 64, 84, 4), np.float32), LABELS[:4], np.zeros(4, np.int64)))


def test_the_net_sees_both_hands_and_fills_a_short_window_with_silence() -> None:
    right, left = roll_from([(2, 72, 4)], 128), roll_from([(0, 24, 200)], 128)
    seen = roll_net.picture(right, left, 0, 12)
    assert seen.shape == (roll_net.STEPS, roll_net.KEYS, roll_net.CHANNELS)
    assert seen[2:6, 72 - roll_net.LOWEST, 0].all() and seen[:, :, 0].sum() == 4 and seen[:, :, 1].sum() == 1
    assert seen[:48, 0, 2].all() and not seen[48:].any()


def test_the_net_hears_a_hand_that_strikes_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roll_net, "FOLDS", 2)
    rng = np.random.default_rng(3)
    pictures = np.zeros((80, roll_net.STEPS, roll_net.KEYS, roll_net.CHANNELS), np.float32)
    for i, label in enumerate(LABELS[:80]):
        key = int(rng.integers(10, 40))
        pictures[i, :: 2 if label else 16, key : key + 8, 3] = 1.0
    assert roll_net.net_accuracy(pictures, LABELS[:80], GROUPS[:80]) > 0.9
