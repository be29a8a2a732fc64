"""The net of `lock` in Keras: a GRU over the onsets, read at the beats. `device.following.lock_net` runs it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from device.following.lock_inputs import INPUTS
from device.following.lock_net import HIDDEN, LARGEST, SILENCES, UNITS, LockWeights
from training.lock_net.takes import Batch, Singles

LEFT_OUT, LEFT_UNREAD = 0.3, 0.1
"""Share of the inputs that are left out by chance in the fit, each in a whole take, and share of what the layer after
the GRU does not read. With fewer the net fits simulated playing better, and real playing worse."""
LEAST_SPREAD = 1e-3
"""An input with a smaller spread is divided by at least this."""


def lock_net() -> Any:
    """Return a new net. It reads the arrays of `Batch.x`, scaled, and answers with log odds [b, m, 1]."""
    layers, ops = keras.layers, keras.ops
    inputs, last = layers.Input((None, INPUTS)), layers.Input((None,), dtype="int32")
    silences = layers.Input((None, SILENCES))
    kept = layers.Dropout(LEFT_OUT, noise_shape=(None, 1, INPUTS))(inputs)
    memory = layers.GRU(UNITS, return_sequences=True, name="memory")(kept)
    at_beats = layers.Lambda(
        lambda x: ops.take_along_axis(x[0], ops.expand_dims(x[1], -1), 1),
        output_shape=lambda shapes: (*shapes[1], UNITS),
    )([memory, last])
    read = layers.Dropout(LEFT_UNREAD)(layers.Concatenate()([at_beats, silences]))
    hidden = layers.Dense(HIDDEN, activation="tanh", name="hidden")(read)
    return keras.Model([inputs, last, silences], layers.Dense(1, name="answer")(hidden))


def scales_of(batch: Batch) -> tuple[Singles, Singles]:
    """Return mean and spread [INPUTS + SILENCES] of the inputs at all onsets and of those at all beats."""
    parts = batch.inputs[(batch.inputs != 0).any(-1)], batch.silences[batch.weight > 0]
    mean, spread = (np.concatenate([f(part, axis=0) for part in parts]) for f in (np.mean, np.std))
    return mean.astype(np.float32), (spread + LEAST_SPREAD).astype(np.float32)


def scaled(batch: Batch, scales: tuple[Singles, Singles]) -> list[Any]:
    """Return what the net reads of `batch`."""
    mean, spread = scales
    inputs, last, silences = batch.x
    return [
        np.clip((inputs - mean[:INPUTS]) / spread[:INPUTS], -LARGEST, LARGEST),
        last,
        np.clip((silences - mean[INPUTS:]) / spread[INPUTS:], -LARGEST, LARGEST),
    ]


def for_the_box(net: Any, scales: tuple[Singles, Singles]) -> LockWeights:
    """Return the weights of `net` as the box reads them."""
    new, past, (bias, past_bias) = net.get_layer("memory").get_weights()
    hidden, hidden_bias = net.get_layer("hidden").get_weights()
    answer, answer_bias = net.get_layer("answer").get_weights()
    return LockWeights(*scales, new, past, bias, past_bias, hidden, hidden_bias, answer[:, 0], answer_bias)
