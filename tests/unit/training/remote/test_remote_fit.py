"""The fit on a GPU, here on a processor: it learns from the same crops as `hear`, can be resumed, and keeps a mean.

These tests need Keras on jax, on which all unit tests run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")

from device.events import KEYS, LOWEST_KEY
from device.hearing.features import FeatureSpec
from training.remote.fit import GpuFit, GpuFitPlan, Schedule
from training.remote.gpu_scenes import Scenes, batch_of
from training.remote.stream import FILE_SCENES, frames_of, row_bytes, rows
from training.remote.trainer import Trainer
from training.scenes.scene import SCENE_NOTE, SCENE_S, Scene
from training.transcriber.fit import CROP_FRAMES, crop
from training.transcriber.net import DEFAULT_WEIGHTS, NetConfig, build_net, build_sequence

SPEC = FeatureSpec()
NET = NetConfig(width=4, mix=5, memory=6, later=(5, 3, 1, 0, 0, 0, 0, 0))
FRAMES = 8


def scene(seed: int) -> Scene:
    """A scene of noise with forty notes all over the keyboard."""
    rng = np.random.default_rng(seed)
    onset = rng.uniform(0, SCENE_S - 1, 40)
    notes = np.zeros(40, SCENE_NOTE)
    notes["onset_s"], notes["offset_s"] = onset, onset + rng.uniform(0.1, 1, 40)
    notes["pitch"], notes["velocity"] = rng.integers(LOWEST_KEY, LOWEST_KEY + KEYS, 40), rng.integers(10, 120, 40)
    size = (frames_of(SPEC), SPEC.bins, SPEC.channels)
    own = rng.integers(0, 255, (frames_of(SPEC), KEYS, 2), np.uint8)
    return Scene(rng.integers(0, 255, size, np.uint8), notes, own)


@pytest.fixture(scope="module")
def shard() -> Any:
    """Two scenes as the GPU holds them."""
    from jax import numpy as jnp

    return jnp.asarray(np.stack([rows(scene(seed), SPEC) for seed in range(2)]))


def test_a_batch_holds_the_crops_of_the_other_fit(shard: Any) -> None:
    first = np.array([8, 700, frames_of(SPEC) - CROP_FRAMES])
    given, wanted = batch_of(shard, np.array([0, 1, 1]), first, CROP_FRAMES, SPEC, NET.delays())
    for i, (number, begin) in enumerate(zip((0, 1, 1), first, strict=True)):
        inputs, target = crop(scene(number), int(begin), NET.delays(), SPEC.hop_s, told=True)
        np.testing.assert_allclose(given["x"][i], inputs["x"], atol=1e-6)
        np.testing.assert_allclose(given["own"][i], inputs["own"], atol=1e-6)
        # a velocity is a multiple of 1/127 there, and of 1/255 here
        np.testing.assert_allclose(wanted[i], target, atol=0.5 / 255 + 1e-6)


def trainer() -> Trainer:
    import keras

    keras.utils.set_random_seed(5)
    return Trainer(build_sequence(build_net(NET, SPEC), FRAMES), 2, FRAMES, SPEC, NET.delays(), DEFAULT_WEIGHTS)


def test_it_learns_and_goes_on_where_it_stopped(shard: Any, tmp_path: Path) -> None:
    whole = trainer()
    before = whole.validation_loss(shard)
    losses = [float(whole.advance(shard, 2, seed, 3e-3)) for seed in range(24)]
    assert np.mean(losses[-6:]) < np.mean(losses[:6])
    assert whole.validation_loss(shard) < before
    whole.keep(tmp_path)
    resumed = trainer()
    assert resumed.go_on(tmp_path) and resumed.steps == whole.steps
    assert float(resumed.advance(shard, 2, 99, 3e-3)) == pytest.approx(float(whole.advance(shard, 2, 99, 3e-3)))

    whole.write_weights(tmp_path / "best.weights.h5")
    read = build_sequence(build_net(NET, SPEC), FRAMES)
    read.load_weights(tmp_path / "best.weights.h5")
    expected = [np.asarray(v) for v in whole.state["mean"][: len(read.trainable_variables)]]
    for variable, value in zip(read.trainable_variables, expected, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), value)


def test_nothing_is_resumed_from_an_empty_folder(tmp_path: Path) -> None:
    assert not trainer().go_on(tmp_path)


def test_the_oldest_scenes_make_room_for_new_ones(tmp_path: Path) -> None:
    held = Scenes(tmp_path, 2 * FILE_SCENES, SPEC)
    shape = (FILE_SCENES, frames_of(SPEC), row_bytes(SPEC))
    for number in range(3):
        np.save(tmp_path / f"train-{number:06d}.npy", np.full(shape, number + 1, np.uint8))
        assert held.take(4) == 1
        assert not list(tmp_path.glob("train-*.npy"))
    array, count = held.shard(np.random.default_rng(1))
    assert count == 2 * FILE_SCENES == array.shape[0]
    assert set(np.asarray(array[:, 0, 0]).tolist()) == {2, 3}


def test_the_rate_rises_and_then_falls_with_the_clock() -> None:
    schedule = Schedule(peak=1.0, minutes=10)
    rates = [schedule.at(60 * minute) for minute in (0, 0.3, 2, 5, 9, 10, 12)]
    assert rates[0] == pytest.approx(0.05) and rates[1] == pytest.approx(1.0, abs=0.01)
    assert rates[1:6] == sorted(rates[1:6], reverse=True)
    assert rates[5] == rates[6] == pytest.approx(0.01)


def stored_scenes(folder: Path) -> None:
    """Write a file of training scenes and one of validation scenes, as `stream` does."""
    folder.mkdir()
    for kind, seed, scenes in (("train", 3, FILE_SCENES), ("valid", 4, 2)):
        np.save(folder / f"{kind}-000000.npy", np.repeat(rows(scene(seed), SPEC)[None], scenes, axis=0))


def test_a_fit_writes_what_a_later_run_goes_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.remote.fit.VALID_FILES", 1)
    stored_scenes(tmp_path / "stream")
    out = tmp_path / "fit"
    out.mkdir()
    plan = GpuFitPlan(NET, DEFAULT_WEIGHTS, Schedule(3e-3, 1e-6), 2, FILE_SCENES, 1)
    GpuFit(plan, tmp_path / "stream", out).run()
    kept = {path.name for path in out.iterdir()}
    assert kept == {"best.weights.h5", "clock.json", "config.json", "history.csv", "state.npz"}
    assert len((out / "history.csv").read_text().splitlines()) == 2, "the time is over after one call"
    about = json.loads((out / "config.json").read_text())
    assert about["scenes"] == {"train": FILE_SCENES, "valid": 2} and about["steps"] == 2
    resumed = GpuFit(plan, tmp_path / "stream", out)
    assert (resumed._trainer.steps, resumed._elapsed_s) == (2, json.loads((out / "clock.json").read_text())["s"])
