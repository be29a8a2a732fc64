"""The accompanist's net: a GRU that hears the right hand and tells what the left hand does, step by step.

Its weights are tied over the twelve transpositions: pitch-class channels are mixed by the interval between pitch
classes, never by their names, so that what is learnt in one key holds in all (a group convolution over Z/12:
Cohen and Welling, 2016). The tied weights are laid out as ordinary dense matrices, and nothing but matrix products,
sigmoid, tanh and relu is left for the device.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from device.left_hand.net_input import GLOBAL_NAMES, INPUT_SIZE, PITCH_CHANNELS

Tensor = Any
Size = tuple[int, int]
"""Channels that have a value for each of the 12 pitch classes, and channels that have one."""

INPUT: Size = (len(PITCH_CHANNELS), len(GLOBAL_NAMES))
OUTPUT: Size = (3, 4)
"""Chord, chord ahead and bass by pitch class; then no bass, and the three strikes."""
HEADS = ("chord", "ahead", "bass", "strike")

_INTERVAL = (np.arange(12)[None, :] - np.arange(12)[:, None]) % 12


def width(size: Size) -> int:
    """How many numbers channels of this size hold: pitch channels come first, channel after channel."""
    return 12 * size[0] + size[1]


@keras.saving.register_keras_serializable("lefthand")
class TiedDense(keras.layers.Layer):
    """A dense map [..., width(inputs)] -> [..., width(outputs)] that commutes with transposition."""

    def __init__(self, inputs: Size, outputs: Size, **options: Any) -> None:
        super().__init__(**options)
        self.inputs, self.outputs = (inputs[0], inputs[1]), (outputs[0], outputs[1])
        fan = width(inputs) ** -0.5

        def weight(name: str, *shape: int, scale: float = fan) -> Any:
            start = keras.initializers.RandomNormal(stddev=scale) if scale else "zeros"
            return self.add_weight(shape=shape, initializer=start, name=name)

        (pitch_in, plain_in), (pitch_out, plain_out) = inputs, outputs
        self.by_interval = weight("by_interval", pitch_in, pitch_out, 12)
        self.gathered = weight("gathered", pitch_in, plain_out)
        self.spread = weight("spread", plain_in, pitch_out)
        self.plain = weight("plain", plain_in, plain_out)
        self.pitch_bias = weight("pitch_bias", pitch_out, scale=0.0)
        self.plain_bias = weight("plain_bias", plain_out, scale=0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "inputs": self.inputs, "outputs": self.outputs}

    def matrix(self) -> tuple[Tensor, Tensor]:
        """The kernel [width(inputs), width(outputs)] and bias that the tied weights stand for."""
        pitch_in, pitch_out = self.inputs[0], self.outputs[0]
        turned = ops.transpose(ops.take(self.by_interval, _INTERVAL, axis=2), (0, 2, 1, 3))
        upper = ops.concatenate(
            [
                ops.reshape(turned, (12 * pitch_in, 12 * pitch_out)),
                ops.repeat(self.gathered, 12, axis=0),
            ],
            axis=1,
        )
        lower = ops.concatenate([ops.repeat(self.spread, 12, axis=1), self.plain], axis=1)
        bias = ops.concatenate([ops.repeat(self.pitch_bias, 12), self.plain_bias])
        return ops.concatenate([upper, lower], axis=0), bias

    def call(self, x: Tensor) -> Tensor:
        kernel, bias = self.matrix()
        return ops.matmul(x, kernel) + bias


@keras.saving.register_keras_serializable("lefthand")
class TiedGru(keras.layers.Layer):
    """A gated recurrent unit (Cho et al., 2014; reset after the product) whose maps are `TiedDense`."""

    def __init__(self, size: Size, **options: Any) -> None:
        super().__init__(**options)
        self.size = (size[0], size[1])
        self.from_input = [TiedDense(size, size, name=f"input_{gate}") for gate in ("update", "reset", "new")]
        self.from_state = [TiedDense(size, size, name=f"state_{gate}") for gate in ("update", "reset", "new")]

    def build(self, *_: Any) -> None:
        self.built = True

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}

    def matrices(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Input kernel and bias, state kernel and bias, the three gates side by side."""
        joined: list[Tensor] = []
        for maps in (self.from_input, self.from_state):
            kernels, biases = zip(*(part.matrix() for part in maps), strict=True)
            joined += [ops.concatenate(kernels, axis=1), ops.concatenate(biases)]
        return joined[0], joined[1], joined[2], joined[3]

    def recur(self, projected: Tensor, state: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        """The next state [B, width] from one step's projected input [B, 3 width]."""
        n = width(self.size)
        inner = ops.matmul(state, kernel) + bias
        update = ops.sigmoid(projected[:, :n] + inner[:, :n])
        reset = ops.sigmoid(projected[:, n : 2 * n] + inner[:, n : 2 * n])
        new = ops.tanh(projected[:, 2 * n :] + reset * inner[:, 2 * n :])
        return new + update * (state - new)

    def call(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, width] and the state before it -> states after every step [B, T, width] and the last."""
        kernel, bias, state_kernel, state_bias = self.matrices()
        projected = ops.matmul(x, kernel) + bias
        if x.shape[1] == 1:
            after = self.recur(projected[:, 0], state, state_kernel, state_bias)
            return after[:, None], after

        def one(carried: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
            after = self.recur(step, carried, state_kernel, state_bias)
            return after, after

        last, states = ops.scan(one, state, ops.transpose(projected, (1, 0, 2)))
        return ops.transpose(states, (1, 0, 2)), last


@keras.saving.register_keras_serializable("lefthand")
class AccompanistNet(keras.Model):
    """x [B, T, INPUT_SIZE] -> chord, ahead, bass, strike, each [B, T, ...], from a zero state.

    `advance` is the same from a given state and gives the state after; a single step is T = 1.
    """

    def __init__(
        self, pitch_channels: int = 16, plain_channels: int = 64, dropout: float = 0.1, **options: Any
    ) -> None:
        super().__init__(**options)
        self.size = (pitch_channels, plain_channels)
        self.dropout = dropout
        self.embed = TiedDense(INPUT, self.size, name="embed")
        self.gru = TiedGru(self.size, name="gru")
        self.mix = TiedDense(self.size, self.size, name="mix")
        self.head = TiedDense(self.size, OUTPUT, name="head")
        self.drop = keras.layers.Dropout(dropout)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pitch_channels": self.size[0],
            "plain_channels": self.size[1],
            "dropout": self.dropout,
        }

    @property
    def state_size(self) -> int:
        """Numbers in the state."""
        return width(self.size)

    def advance(self, x: Tensor, state: Tensor, training: bool = False) -> tuple[dict[str, Tensor], Tensor]:
        """[B, T, INPUT_SIZE] and [B, state_size] -> outputs by head, and the state after the last step."""
        embedded = self.drop(ops.relu(self.embed(x)), training=training)
        states, last = self.gru(embedded, state)
        mixed = self.drop(ops.relu(self.mix(states)), training=training)
        out = self.head(mixed)
        return {
            "chord": ops.sigmoid(out[..., :12]),
            "ahead": ops.sigmoid(out[..., 12:24]),
            "bass": ops.softmax(out[..., 24:37]),
            "strike": ops.sigmoid(out[..., 37:]),
        }, last

    def call(self, x: Tensor, training: bool = False) -> dict[str, Tensor]:
        return self.advance(x, ops.zeros((ops.shape(x)[0], self.state_size)), training)[0]


def loss(true: Tensor, predicted: Tensor) -> Tensor:
    """Cross-entropies of all heads, [B, T], weighted step by step.

    `true` [B, T, 29]: chord, ahead (shares), bass as a class 0..12, strikes, weight. `predicted` [B, T, 40]:
    the heads of `AccompanistNet` side by side.
    """
    sure = ops.clip(predicted, 1e-6, 1 - 1e-6)

    def binary(wanted: Tensor, found: Tensor) -> Tensor:
        return ops.mean(-wanted * ops.log(found) - (1 - wanted) * ops.log(1 - found), axis=-1)

    bass = ops.one_hot(ops.cast(true[..., 24], "int32"), 13)
    return true[..., 28] * (
        4.0 * binary(true[..., :12], sure[..., :12])
        + 2.0 * binary(true[..., 12:24], sure[..., 12:24])
        - 0.4 * ops.sum(bass * ops.log(sure[..., 24:37]), axis=-1)
        + 1.0 * binary(true[..., 25:28], sure[..., 37:])
    )


def sequence_model(net: AccompanistNet, steps: int) -> keras.Model:
    """The net for a fit: x [B, steps, INPUT_SIZE] -> its heads side by side [B, steps, 40]."""
    x = keras.Input((steps, INPUT_SIZE), name="x")
    outputs = net(x)
    return keras.Model(x, keras.layers.Concatenate(axis=-1)([outputs[name] for name in HEADS]))


def step_model(net: AccompanistNet) -> keras.Model:
    """The net as a pure step: x [1, INPUT_SIZE], state_gru [1, S] -> y_chord, y_ahead, y_bass, y_strike, next_gru."""
    x = keras.Input((INPUT_SIZE,), batch_size=1, name="x")
    state = keras.Input((net.state_size,), batch_size=1, name="state_gru")
    return keras.Model({"x": x, "state_gru": state}, _Step(net, name="step")({"x": x, "state_gru": state}))


class _Step(keras.layers.Layer):
    """One call of `advance` with T = 1."""

    def __init__(self, net: AccompanistNet, **options: Any) -> None:
        super().__init__(**options)
        self.net = net

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        outputs, after = self.net.advance(inputs["x"][:, None, :], inputs["state_gru"])
        named = {f"y_{name}": outputs[name][:, 0] for name in HEADS}
        return {**named, "next_gru": after}
