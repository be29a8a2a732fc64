"""A wider transcriber begins with the narrower one's answers, and learns with all of its units."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from device.errors import UserError
from device.hearing.features import FeatureSpec
from training.transcriber.hear import asked_net, asked_weights, fit_named
from training.transcriber.net import LossWeights, NetConfig, build_net, build_sequence, loss
from training.transcriber.widen import widened

SPEC = FeatureSpec()
NARROW = NetConfig(width=4, mix=5, memory=6)
FRAMES = 12


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    keras.utils.set_random_seed(4)
    path = tmp_path_factory.mktemp("narrow") / "best.weights.h5"
    build_sequence(build_net(NARROW, SPEC), FRAMES).save_weights(path)
    return path


def given() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    own = rng.random((2, FRAMES, 88, 2)).astype(np.float32)
    return {"x": rng.random((2, FRAMES, SPEC.bins, SPEC.channels)).astype(np.float32), "own": own}


@pytest.mark.parametrize(
    "config", [NARROW, NetConfig(width=7, mix=5, memory=6), NetConfig(width=6, mix=9, memory=11)], ids=str
)
def test_a_wider_net_answers_as_the_narrow_one_did(weights: Path, config: NetConfig) -> None:
    narrow = build_sequence(build_net(NARROW, SPEC, weights), FRAMES).predict(given(), verbose=0)
    wide = build_sequence(widened(config, SPEC, NARROW, weights), FRAMES).predict(given(), verbose=0)
    assert np.ptp(narrow) > 0.01
    assert wide == pytest.approx(narrow, abs=1e-5)


def test_every_new_unit_learns(weights: Path) -> None:
    model = build_sequence(widened(NetConfig(width=6, mix=8, memory=9), SPEC, NARROW, weights), FRAMES)
    model.compile(keras.optimizers.Adam(0.01), loss=loss)
    before = [np.asarray(weight) for weight in model.trainable_weights]
    target = (np.random.default_rng(2).random((2, FRAMES, 88, 4)) < 0.1).astype(np.float32)
    for _ in range(3):
        model.train_on_batch(given(), target)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        moved = np.abs(np.asarray(weight) - old).reshape(-1, old.shape[-1]).max(axis=0)
        assert moved.min() > 0, weight.path


@pytest.mark.parametrize("config", [NetConfig(width=3), NetConfig(width=8, blocks=3, mix=8, memory=8)])
def test_what_is_no_widening_is_refused(weights: Path, config: NetConfig) -> None:
    with pytest.raises(UserError, match="width, mix and memory alone"):
        widened(config, SPEC, NARROW, weights)


@pytest.mark.parametrize(
    ("changes", "named"),
    [('{"later": [5, 3]}', "later has 2 numbers, and takes 8"), ('{"with": 32}', "width, blocks"), ("[1]", "object")],
)
def test_a_net_that_cannot_be_is_one_sentence(changes: str, named: str) -> None:
    with pytest.raises(UserError, match=named):
        asked_net(changes)


def test_a_fit_to_begin_with_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "fits" / "first").mkdir(parents=True)
    (tmp_path / "fits" / "first" / "config.json").write_text("{}")
    assert fit_named(tmp_path, "first") == tmp_path / "fits" / "first"
    with pytest.raises(UserError, match="There is no fit second in .* only .*'first'"):
        fit_named(tmp_path, "second")


def test_what_a_head_counts_is_asked_for_by_its_name() -> None:
    assert asked_weights('{"offset": 0}') == LossWeights(offset=0) and asked_weights("{}") == LossWeights()


@pytest.mark.parametrize("wrong", ['{"offsets": 0}', "[1]", "offset=0", '{"offset": -1}', '{"offset": "none"}'])
def test_a_weight_that_cannot_be_is_one_sentence_that_names_the_heads(wrong: str) -> None:
    with pytest.raises(UserError, match=r"--loss.*onset, frame, offset, velocity"):
        asked_weights(wrong)
