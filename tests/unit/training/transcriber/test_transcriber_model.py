"""The transcriber's net: step by step it gives what the whole sequence gives, and nothing before it is heard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from device.events import KEYS
from device.hearing.features import FeatureSpec

FRAMES = 12
TOLERANCE = 1e-5
"""Tolerance for posteriors and states: the same float32 sums are added in another order."""
SPEC = FeatureSpec()

Float = NDArray[np.float32]


@pytest.fixture(scope="module")
def net() -> Any:
    """A small net with random weights, normalisation included."""
    import keras

    from training.transcriber.net import NetConfig, build_net

    keras.utils.set_random_seed(3)
    net = build_net(NetConfig(width=6, blocks=2, mix=8, memory=10), SPEC)
    rng = np.random.default_rng(3)
    for weight in net.weights:
        low, high = (0.5, 1.5) if "variance" in weight.path or "gamma" in weight.path else (-0.3, 0.3)
        weight.assign(rng.uniform(low, high, weight.shape).astype(np.float32))
    return net


def heard(seed: int = 0) -> tuple[Float, Float]:
    """x [1, frames, bins, channels] and own [1, frames, 88, 2]."""
    rng = np.random.default_rng(seed)
    x = rng.random((1, FRAMES, SPEC.bins, SPEC.channels)) * (rng.random((1, FRAMES, SPEC.bins, 1)) < 0.3)
    return x.astype(np.float32), (rng.random((1, FRAMES, KEYS, 2)) < 0.05).astype(np.float32)


def sequence(net: Any, x: Float, own: Float) -> Float:
    """Posteriors [frames, 88, 4] of the model that is trained."""
    from keras import ops

    from training.transcriber.net import build_sequence

    logits = build_sequence(net, x.shape[1])({"x": x, "own": own}, training=False)
    posteriors: Float = np.asarray(ops.convert_to_numpy(ops.sigmoid(logits)))[0]
    return posteriors


class Stepped:
    """The net one frame at a time, as the exported model calls it."""

    def __init__(self, net: Any) -> None:
        self._net = net
        self._states = net.zero_states(1)

    def step(self, x: Float, own: Float) -> Float:
        from keras import ops

        logits, after = self._net(x, own, self._states, training=False)
        self._states = {name.replace("next_", "state_"): value for name, value in after.items()}
        posteriors: Float = np.asarray(ops.convert_to_numpy(ops.sigmoid(logits)))[0, 0]
        return posteriors


def steps(net: Any, x: Float, own: Float) -> Float:
    stepped = Stepped(net)
    return np.stack([stepped.step(x[:, i : i + 1], own[:, i : i + 1]) for i in range(x.shape[1])])


def test_steps_equal_the_sequence(net: Any) -> None:
    x, own = heard()
    whole = sequence(net, x, own)
    assert np.std(whole) > 0.02, "posteriors that differ, so that there is something to compare"
    assert np.max(np.abs(steps(net, x, own) - whole)) <= TOLERANCE


def test_the_model_that_is_exported_is_the_net_s_step(net: Any, tmp_path: Any) -> None:
    from keras import ops

    from training.transcriber.net import build_sequence, build_step

    x, own = heard(1)
    build_sequence(net, 2).save_weights(tmp_path / "a.weights.h5")
    model = build_step(net.config, SPEC, tmp_path / "a.weights.h5")
    states = {name: np.zeros(value.shape, np.float32) for name, value in net.zero_states(1).items()}
    whole = sequence(net, x, own)
    assert {"x", "own", *states} == set(model.input) and {n.replace("state_", "next_") for n in states} < set(
        model.output
    )
    for i in range(4):
        out = model({"x": x[:, i : i + 1], "own": own[:, i : i + 1], **states}, training=False)
        found = {name: np.asarray(ops.convert_to_numpy(value)) for name, value in out.items()}
        assert found["y"].shape == (1, KEYS, 4)
        assert np.max(np.abs(found["y"][0] - whole[i])) <= TOLERANCE
        states = {name: found[name.replace("state_", "next_")] for name in states}


def test_every_frame_and_what_was_sent_count(net: Any) -> None:
    x, own = heard()
    whole = sequence(net, x, own)
    for changed in ((np.roll(x, 30, axis=2), own), (x, 1 - own)):
        assert np.max(np.abs(sequence(net, *changed) - whole)) > 1e-3


@pytest.mark.parametrize("at", [1, 5, 11])
def test_nothing_is_known_of_later_frames(net: Any, at: int) -> None:
    x, own = heard()
    later_x, later_own = heard(9)
    later_x[:, :at], later_own[:, :at] = x[:, :at], own[:, :at]
    before, changed = sequence(net, x, own), sequence(net, later_x, later_own)
    assert np.array_equal(before[:at], changed[:at])
    assert not np.allclose(before[at:], changed[at:])


def test_nothing_of_one_piece_reaches_the_next_in_a_batch(net: Any) -> None:
    first, second = heard(1), heard(2)
    both = [np.concatenate(pair) for pair in zip(first, second, strict=True)]
    from keras import ops

    from training.transcriber.net import build_sequence

    logits = build_sequence(net, FRAMES)({"x": both[0], "own": both[1]}, training=False)
    found = np.asarray(ops.convert_to_numpy(ops.sigmoid(logits)))
    assert np.max(np.abs(found[1] - sequence(net, *second))) <= TOLERANCE


def test_the_loss_is_least_for_the_truth_and_needs_no_note() -> None:
    from keras import ops

    from training.transcriber.net import loss

    target = np.zeros((1, 3, KEYS, 4), np.float32)
    target[0, 1, 40] = (1, 1, 0, 0.5)
    right = np.where(target[..., :3] > 0, 9.0, -9.0)
    truth = np.concatenate([right, np.zeros((1, 3, KEYS, 1))], axis=-1).astype(np.float32)
    at_truth = float(ops.convert_to_numpy(loss(target, truth)))
    for head in range(3):
        wrong = truth.copy()
        wrong[0, 1, 40, head] *= -1
        assert float(ops.convert_to_numpy(loss(target, wrong))) > at_truth
    louder = truth.copy()
    louder[0, 1, 40, 3] = 3.0
    assert float(ops.convert_to_numpy(loss(target, louder))) > at_truth
    assert np.isfinite(float(ops.convert_to_numpy(loss(np.zeros_like(target), truth))))
