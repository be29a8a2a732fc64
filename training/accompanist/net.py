"""The accompanist's net: a GRU that predicts the left hand from the right hand, step by step.

The weights are tied over the twelve transpositions: the weight between two pitch classes depends only on their
interval. So the net uses in every key the rules that it has learnt in one (a group convolution over Z/12: Cohen and
Welling, 2016). For the device, the tied weights are expanded to dense matrices. It then computes only matrix products,
sigmoid, tanh and relu.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from device.left_hand.net_input import GLOBAL_NAMES, INPUT_SIZE, PITCH_CHANNELS

Tensor = Any
Size = tuple[int, int]
"""Size of a layer: number of channels with 12 values (one per pitch class), number of channels with one value."""

INPUT: Size = (len(PITCH_CHANNELS), len(GLOBAL_NAMES))
OUTPUT: Size = (3, 4)
"""Size of the output. The channels of 12 values are chord, chord ahead and bass.

The channels of one value are "no bass" and the three strikes.
"""
HEADS = ("chord", "ahead", "bass", "strike")

_INTERVAL = (np.arange(12)[None, :] - np.arange(12)[:, None]) % 12


def width(size: Size) -> int:
    """Return the number of values in channels of this size. Pitch channels come first, one after another."""
    return 12 * size[0] + size[1]


@keras.saving.register_keras_serializable("lefthand")
class TiedDense(keras.layers.Layer):
    """A dense layer [..., width(inputs)] -> [..., width(outputs)] that treats all transpositions alike.

    If the pitch classes of the input are rotated by some semitones, those of the output are rotated in the same way.
    """

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
        """Return the layer as a plain matrix: a kernel [width(inputs), width(outputs)] and a bias [width(outputs)]."""
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
        """Return the layer's output [..., width(outputs)] for x [..., width(inputs)]."""
        kernel, bias = self.matrix()
        return ops.matmul(x, kernel) + bias


@keras.saving.register_keras_serializable("lefthand")
class TiedGru(keras.layers.Layer):
    """A gated recurrent unit (Cho et al., 2014; reset after the product) with `TiedDense` layers."""

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
        """Return input kernel, input bias, state kernel and state bias as plain matrices.

        Each holds the gates update, reset and new side by side on its last axis.
        """
        joined: list[Tensor] = []
        for maps in (self.from_input, self.from_state):
            kernels, biases = zip(*(part.matrix() for part in maps), strict=True)
            joined += [ops.concatenate(kernels, axis=1), ops.concatenate(biases)]
        return joined[0], joined[1], joined[2], joined[3]

    def recur(self, projected: Tensor, state: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        """Return the next state [B, width] for one step's projected input [B, 3 width]."""
        n = width(self.size)
        inner = ops.matmul(state, kernel) + bias
        update = ops.sigmoid(projected[:, :n] + inner[:, :n])
        reset = ops.sigmoid(projected[:, n : 2 * n] + inner[:, n : 2 * n])
        new = ops.tanh(projected[:, 2 * n :] + reset * inner[:, 2 * n :])
        return new + update * (state - new)

    def call(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Run over x [B, T, width] from `state`.

        Returns the states after all steps [B, T, width], and the last state.
        """
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
    """Maps x [B, T, INPUT_SIZE] to its outputs chord, ahead, bass and strike, each [B, T, ...].

    A call begins with a state of zeros. `advance` begins with a given state and also returns the last state. To run one
    step, call `advance` with T = 1.
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
        """Number of values in the state."""
        return width(self.size)

    def advance(self, x: Tensor, state: Tensor, training: bool = False) -> tuple[dict[str, Tensor], Tensor]:
        """Run the net over x [B, T, INPUT_SIZE] from `state` [B, state_size].

        Returns the outputs by name (chord, ahead, bass, strike), and the last state.
        """
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
        """Return the outputs for x [B, T, INPUT_SIZE] by name, each [B, T, its size]. The first state is zero."""
        return self.advance(x, ops.zeros((ops.shape(x)[0], self.state_size)), training)[0]


def loss(true: Tensor, predicted: Tensor) -> Tensor:
    """Return the error of each step, [B, T]: the weighted sum of the outputs' cross-entropies, times the step's weight.

    `true` [B, T, 29]: chord, ahead (shares), bass as a class 0..12, strikes, weight. `predicted` [B, T, 40]: the
    outputs of `AccompanistNet` side by side.
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
    """Return the model for a fit.

    It maps x [B, steps, INPUT_SIZE] to the net's four outputs, concatenated to [B, steps, 40].
    """
    x = keras.Input((steps, INPUT_SIZE), name="x")
    outputs = net(x)
    return keras.Model(x, keras.layers.Concatenate(axis=-1)([outputs[name] for name in HEADS]))


def step_model(net: AccompanistNet) -> keras.Model:
    """Return the model of one step, for the export.

    The inputs are x [1, INPUT_SIZE] and state_gru [1, S]. The outputs are y_chord, y_ahead, y_bass, y_strike and
    next_gru, which is the next state.
    """
    x = keras.Input((INPUT_SIZE,), batch_size=1, name="x")
    state = keras.Input((net.state_size,), batch_size=1, name="state_gru")
    return keras.Model({"x": x, "state_gru": state}, _Step(net, name="step")({"x": x, "state_gru": state}))


class _Step(keras.layers.Layer):
    """Runs the net for one step: it calls `AccompanistNet.advance` with T = 1."""

    def __init__(self, net: AccompanistNet, **options: Any) -> None:
        super().__init__(**options)
        self.net = net

    def call(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        outputs, after = self.net.advance(inputs["x"][:, None, :], inputs["state_gru"])
        named = {f"y_{name}": outputs[name][:, 0] for name in HEADS}
        return {**named, "next_gru": after}
