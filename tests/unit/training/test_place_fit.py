"""The fit of the net that judges the place of notes in the beat."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from device.clock.meter import Meter
from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.place_net import FEATURES, PlaceNet
from training.place_net import by_shift, features, fit, grid_of, right_share, with_rubato

BEATS = np.cumsum(np.tile([1.0, 0.5, 0.5, 1.0, 0.75, 0.25], 20))
"""A rhythm whose long notes are on the beat."""
TOP = 60.0 + np.arange(len(BEATS)) % 5
ONE = np.ones(len(BEATS), np.int64)


def test_rubato_keeps_the_order_and_the_beat_is_near_the_one_played() -> None:
    time, beat = with_rubato(BEATS, np.random.default_rng(0))
    assert (np.diff(time) >= 0).all()
    played = (time[-1] - time[0]) / (BEATS[-1] - BEATS[0])
    assert float(np.mean(beat)) == pytest.approx(played, rel=0.1)


def test_the_features_are_those_that_the_device_makes() -> None:
    net = PlaceNet(QUARTER)
    for i, at in enumerate(BEATS[:30].tolist()):
        net.hear(at * 0.5, (int(TOP[max(i - 1, 0)]), 1), round(at * 4) * SIXTEENTH, 0.5)
    made = features(BEATS[:30] * 0.5, np.full(30, 0.5), TOP[:30], ONE[:30])
    assert made.shape == (30, FEATURES)
    assert net._rows == pytest.approx(made[13:29], abs=1e-6)


def test_sums_move_with_the_grid() -> None:
    scores = np.arange(12, dtype=np.float32).reshape(1, 3, 4) % 5
    sums = by_shift(scores, np.array([[0, 1, -1]])).numpy()
    again = by_shift(scores, np.array([[1, 2, -1]])).numpy()
    assert sums.shape == (1, 4, 4)
    assert not sums[0, 0].any()
    assert sums[0, 3] == pytest.approx(sums[0, 2])
    assert again == pytest.approx(np.roll(sums, -1, axis=2))


def share_after_a_fit() -> float:
    """Return the share of right stretches of a rhythm after a fit to five playings of it."""
    rng = np.random.default_rng(1)
    played = []
    for _ in range(6):
        time, beat = with_rubato(BEATS, rng)
        played.append((features(time, beat, TOP, ONE), np.rint(BEATS * 4).astype(np.int64) % 4))
    net = fit(played[:5], 4, 15, rng)
    return right_share(net, played[5:])


def test_a_fitted_net_finds_the_place_of_a_rhythm() -> None:
    # the fit needs Keras on TensorFlow, and a process has one backend: that of the unit tests is jax
    env = {**os.environ, "KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(Path(__file__).parents[3])}
    ran = subprocess.run([sys.executable, __file__], env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert float(ran.stdout) >= 0.9


@pytest.mark.parametrize(("meter", "grid"), [("4/4", (4, 1)), ("2/2", (4, 2)), ("6/8", (6, 1)), ("3/8", (0, 1))])
def test_each_metre_has_the_net_of_its_beat(meter: str, grid: tuple[int, int]) -> None:
    assert grid_of(Meter.parse(meter)) == grid


if __name__ == "__main__":
    print(share_after_a_fit())
