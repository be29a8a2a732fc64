"""The fit of the net that judges tempo and place of the beat together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.following.grid_features import GridFeatures
from device.following.grid_frame import LEVELS
from device.following.grid_net import BEFORE, BINS
from device.following.place_net import GAP_BINS
from training.corpora.pieces import HandLabel, Piece, as_notes
from training.grid_net import AFTER, JUDGED, ONE, SUMS, Hand, chances, drawn, fit, hands_of, right_grids, summed

RHYTHM = np.tile([1.0, 0.5, 0.5, 1.0, 0.75, 0.25], 20)
"""Beats of a rhythm whose long notes are on the beat."""


def a_hand(kind: str = "lieder", onsets: int = 120) -> Hand:
    """A hand that repeats one rhythm on five keys."""
    heard = GridFeatures()
    features = np.array([heard.hear(frozenset({60 + i % 5})) for i in range(onsets)])
    flags = np.array([0, 0, 0, 0, 0, 1], np.float32)
    return Hand(kind, np.append(0.0, np.cumsum(RHYTHM))[:onsets], features, flags)


def test_a_stretch_shows_gaps_and_places_in_beats_of_each_level() -> None:
    batch = drawn([a_hand(onsets=30)], np.ones(1), 3, np.random.default_rng(0))
    assert batch.gaps.shape == (3, len(LEVELS), BEFORE + JUDGED + AFTER, BINS)
    assert batch.gaps.sum(-1) == pytest.approx(1)
    assert batch.gaps[..., :BEFORE, GAP_BINS].all()
    assert not batch.gaps[:, :, BEFORE : BEFORE + 29, GAP_BINS].any()
    assert batch.judged.sum(1).tolist() == [29 - AFTER] * 3
    whole = batch.place[0, ONE, :10]
    assert whole == pytest.approx(a_hand().place[:10], abs=0.25)
    assert batch.place[0, 0, :10] == pytest.approx(whole / LEVELS[0], rel=1e-4, abs=1e-5)


def test_each_kind_is_drawn_as_often_as_its_share() -> None:
    found = [a_hand("lieder"), a_hand("lieder", 60), a_hand("pop909")]
    chance = chances(found, {"lieder": 0.75, "pop909": 0.25})
    assert chance == pytest.approx([0.5, 0.25, 0.25])


def test_a_voice_of_a_lied_is_a_kind_of_its_own() -> None:
    onset = np.arange(40) * 0.5
    rows = [as_notes(onset, 0.5, pitch, 0, hand) for pitch, hand in ((72, HandLabel.RIGHT), (76, HandLabel.VOICE))]
    piece = Piece(
        "a", "lieder", "g", "w", "train", np.sort(np.concatenate(rows)), [(0.0, 4, 4)], np.arange(0.0, 20.0, 4.0)
    )
    assert [hand.kind for hand in hands_of(piece)] == ["lieder", "voice"]


def share_after_a_fit() -> float:
    """Return the share of stretches of a rhythm with tempo and place right, after a short fit to it."""
    rng = np.random.default_rng(1)
    found = [a_hand()]
    net = fit(found, 40, rng)
    batch = drawn(found, np.ones(1), 40, rng)
    return right_grids(summed(net, batch))[len(SUMS) - 1][1]


def test_a_fitted_net_finds_tempo_and_place_of_a_rhythm() -> None:
    # the fit needs TensorFlow, which the unit tests do not load in their own process
    env = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(Path(__file__).parents[3])}
    ran = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert float(ran.stdout) >= 0.8


if __name__ == "__main__":
    print(share_after_a_fit())
