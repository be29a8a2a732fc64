"""An average of two fits has weights between theirs, normalisations of its own, and a record of both."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from device.errors import UserError
from device.hearing.features import FeatureSpec
from training.scenes.scene import SCENE_NOTE, Scene
from training.transcriber import fit
from training.transcriber.average import average, average_fits
from training.transcriber.hear import fit_named
from training.transcriber.net import NetConfig, build_net, build_sequence

SPEC = FeatureSpec()
NET = NetConfig(width=4, mix=5, memory=6)
FRAMES = 16
"""Frames of a crop, fewer than in a fit, because they are computed one after another."""


def a_fit(folder: Path, seed: int, net: NetConfig = NET, begun: dict[str, object] | None = None) -> Path:
    keras.utils.set_random_seed(seed)
    folder.mkdir(parents=True)
    model = build_net(net, SPEC)
    for weight in model.weights:
        low, high = (0.5, 1.5) if "variance" in weight.path else (-0.4, 0.4)
        weight.assign(np.random.default_rng(seed).uniform(low, high, weight.shape).astype(np.float32))
    build_sequence(model, 2).save_weights(folder / "best.weights.h5")
    about = {"net": net.to_dict(), "features": SPEC.to_dict(), "seed": seed, "steps": 7, "begun_from": begun}
    (folder / "config.json").write_text(json.dumps(about))
    return folder


def weights_of(folder: Path) -> dict[str, np.ndarray]:
    return {w.path: np.asarray(w) for w in build_net(NET, SPEC, folder / "best.weights.h5").weights}


def scenes(count: int) -> list[Scene]:
    rng = np.random.default_rng(5)
    shape = (FRAMES + 8, SPEC.bins, SPEC.channels)
    return [
        Scene(rng.integers(0, 255, shape).astype(np.uint8), np.zeros(0, SCENE_NOTE), np.zeros((0, 88, 2), np.uint8))
        for _ in range(count)
    ]


def test_weights_lie_between_those_of_both_fits(tmp_path: Path) -> None:
    first, second = a_fit(tmp_path / "one", 1), a_fit(tmp_path / "two", 2)
    average_fits(first, second, 0.25, tmp_path / "mean")
    one, two, mean = (weights_of(folder) for folder in (first, second, tmp_path / "mean"))
    for path, weight in mean.items():
        assert weight == pytest.approx(0.75 * one[path] + 0.25 * two[path], abs=1e-6), path
        assert np.abs(weight - one[path]).max() > 0.01


def test_normalisations_are_those_of_the_average_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "CROP_FRAMES", FRAMES)
    first, second = a_fit(tmp_path / "one", 1), a_fit(tmp_path / "two", 2)
    sound = scenes(3)
    average_fits(first, second, 0.5, tmp_path / "mean", sound)
    one, two, mean = (weights_of(folder) for folder in (first, second, tmp_path / "mean"))
    kernel = next(path for path in mean if path.endswith("stem/kernel"))
    assert mean[kernel] == pytest.approx((one[kernel] + two[kernel]) / 2, abs=1e-6)
    # the first convolution has no norm before it: over the same crops its outputs must have the stored mean
    net = build_net(NET, SPEC, tmp_path / "mean" / "best.weights.h5")
    outputs: list[np.ndarray] = []
    stem = net.stem
    net.stem = lambda x: outputs.append(np.asarray(stem(x))) or stem(x)
    for scene in sound:
        for begin in np.linspace(0, 8, 2).astype(int):
            x = scene.features[None, begin : begin + FRAMES].astype(np.float32) / 255
            net(x, np.zeros((1, FRAMES, 88, 2), np.float32), net.zero_states(1))
    seen = np.concatenate(outputs).reshape(-1, NET.width)
    stored = {path.split("/")[-1]: weight for path, weight in mean.items() if "stem_norm" in path}
    assert stored["moving_mean"] == pytest.approx(seen.mean(axis=0), abs=1e-3)
    assert stored["moving_variance"] == pytest.approx(seen.var(axis=0), rel=0.02)


def test_config_records_both_fits_and_the_gate_of_the_first(tmp_path: Path) -> None:
    first = a_fit(tmp_path / "one", 1)
    begun = {"name": "one", **{k: json.loads((first / "config.json").read_text())[k] for k in ("net", "seed", "steps")}}
    second = a_fit(tmp_path / "two", 2, begun=begun | {"begun_from": None})
    (first / "gate.json").write_text('{"rearm": 0.5}')
    average_fits(first, second, 0.5, tmp_path / "mean")
    about = json.loads((tmp_path / "mean" / "config.json").read_text())
    assert [(part["name"], part["share"], part["seed"]) for part in about["averaged"]] == [
        ("one", 0.5, 1),
        ("two", 0.5, 2),
    ]
    assert about["averaged"][1]["begun_from"] == {"name": "one"}, "the first fit is described once"
    assert about["net"] == json.loads((first / "config.json").read_text())["net"]
    assert (tmp_path / "mean" / "gate.json").read_text() == '{"rearm": 0.5}'


def test_fits_of_different_nets_are_refused(tmp_path: Path) -> None:
    first, second = a_fit(tmp_path / "one", 1), a_fit(tmp_path / "two", 2, NetConfig(width=4, mix=5, memory=7))
    with pytest.raises(UserError, match="one and two have different entries `net`"):
        average_fits(first, second, 0.5, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_command_writes_a_fit_that_others_can_name(tmp_path: Path) -> None:
    for number, name in enumerate(("one", "two")):
        a_fit(tmp_path / "fits" / name, number)
    asked = ["--cache", str(tmp_path), "--fits", "one", "two", "--share", "0.5", "--name"]
    missing = CliRunner().invoke(average, [*asked, "mean"])
    assert isinstance(missing.exception, UserError) and "--no-norms" in str(missing.exception)
    done = CliRunner().invoke(average, [*asked, "mean", "--no-norms"])
    assert done.exit_code == 0 and "0.5 of one and 0.5 of two" in done.output
    assert fit_named(tmp_path, "mean") == tmp_path / "fits" / "mean"
    with pytest.raises(UserError, match="another name"):
        CliRunner().invoke(average, [*asked, "two", "--no-norms"], catch_exceptions=False)
