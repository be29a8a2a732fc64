"""The net with which a fit begins, if the fit keeps the normalisations of another one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="fits need the package 'train'")

from device.events import KEYS
from device.hearing.features import FeatureSpec
from training.transcriber.fit import FitPlan, first_net
from training.transcriber.net import NetConfig, build_net, build_sequence

SPEC = FeatureSpec()
SMALL = NetConfig(width=2, mix=2, memory=2)
PLAN = FitPlan(SMALL, SPEC, steps=2, epoch_steps=2, batch=1, rate=0.01, patience=1, seed=3)


@pytest.fixture
def first(tmp_path: Path) -> Path:
    build_sequence(build_net(SMALL, SPEC), 1).save_weights(tmp_path / "best.weights.h5")
    (tmp_path / "config.json").write_text(json.dumps({"net": SMALL.to_dict()}))
    return tmp_path


@pytest.mark.parametrize("norms", [True, False])
def test_the_normalisations_are_fitted_only_if_the_plan_says_so(first: Path, norms: bool) -> None:
    net = first_net(replace(PLAN, norms=norms), first)
    fitted = {weight.path.split("net/")[-1] for weight in net.trainable_variables}
    assert {"stem/kernel", "conv0/kernel", "mix/kernel", "heads/kernel"} <= fitted
    assert any("norm" in name for name in fitted) == norms


@pytest.mark.parametrize("norms", [True, False])
def test_normalisations_that_are_kept_do_not_depend_on_the_batch(first: Path, norms: bool) -> None:
    net = first_net(replace(PLAN, norms=norms), first)
    x = np.random.default_rng(1).random((1, 4, SPEC.bins, SPEC.channels), np.float32)
    own, model = np.zeros((1, 4, KEYS, 2), np.float32), build_sequence(net, 4)
    heard, learning = (np.asarray(model({"x": x, "own": own}, training=training)) for training in (False, True))
    assert np.allclose(heard, learning, atol=1e-5) != norms
