"""The net is one function for sequences and steps, and knows no key from another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")

from device.left_hand.net_input import GLOBAL_NAMES, INPUT_SIZE, PITCH_CHANNELS
from training.accompanist.net import AccompanistNet, step_model

STEPS = 12


@pytest.fixture(scope="module")
def net() -> Any:
    import keras

    keras.utils.set_random_seed(3)
    made = AccompanistNet(4, 8)
    made(np.zeros((1, STEPS, INPUT_SIZE), np.float32))
    return made


@pytest.fixture(scope="module")
def x() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).random((1, STEPS, INPUT_SIZE)).astype(np.float32)


def played(net: Any, x: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.asarray(value) for name, value in net(x).items()}


def test_steps_give_what_the_sequence_gives(net: Any, x: np.ndarray[Any, Any]) -> None:
    import keras

    whole, step = played(net, x), step_model(net)
    state = keras.ops.zeros((1, net.state_size))
    for t in range(STEPS):
        out = step({"x": keras.ops.convert_to_tensor(x[:, t]), "state_gru": state})
        state = out["next_gru"]
        for name, value in whole.items():
            assert np.allclose(np.asarray(out[f"y_{name}"])[0], value[0, t], atol=1e-5)


@pytest.mark.parametrize("by", [1, 5, 7])
def test_a_transposed_right_hand_gets_a_transposed_left_hand(net: Any, x: np.ndarray[Any, Any], by: int) -> None:
    number = 12 * len(PITCH_CHANNELS)
    moved = x.copy()
    moved[..., :number] = np.roll(x[..., :number].reshape(1, STEPS, -1, 12), by, axis=-1).reshape(1, STEPS, number)
    before, after = played(net, x), played(net, moved)
    for name in ("chord", "ahead"):
        assert np.allclose(np.roll(before[name], by, axis=-1), after[name], atol=1e-5)
    assert np.allclose(np.roll(before["bass"][..., :12], by, axis=-1), after["bass"][..., :12], atol=1e-5)
    assert np.allclose(before["strike"], after["strike"], atol=1e-5)


def test_the_net_stays_small() -> None:
    assert step_model(AccompanistNet()).count_params() < 150_000
    assert len(PITCH_CHANNELS) * 12 + len(GLOBAL_NAMES) == INPUT_SIZE
