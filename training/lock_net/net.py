"""The net of `lock` in Keras: a GRU over the onsets, read at the beats. `device.following.lock_net` runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from device.following.lock_inputs import INPUTS
from device.following.lock_net import HIDDEN, LARGEST, SILENCES, UNITS, LockWeights
from training.lock_net.takes import Batch, Singles

FITS = 3
"""Number of nets whose log odds are averaged: single fits on the same takes differ more than what is left to gain."""
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
    memory = layers.GRU(UNITS // FITS, return_sequences=True, name="memory")(kept)
    at_beats = layers.Lambda(
        lambda x: ops.take_along_axis(x[0], ops.expand_dims(x[1], -1), 1),
        output_shape=lambda shapes: (*shapes[1], UNITS // FITS),
    )([memory, last])
    read = layers.Dropout(LEFT_UNREAD)(layers.Concatenate()([at_beats, silences]))
    hidden = layers.Dense(HIDDEN // FITS, activation="tanh", name="hidden")(read)
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


def for_the_box(nets: Sequence[Any], scales: tuple[Singles, Singles]) -> LockWeights:
    """Return the weights of `nets` as the box reads them: side by side, with the mean of their answers."""
    parts: list[list[Any]] = [[] for _ in range(len(LockWeights._fields) - len(scales))]
    for net in nets:
        new, past, biases = net.get_layer("memory").get_weights()
        values = new, past, *biases, *net.get_layer("hidden").get_weights(), *net.get_layer("answer").get_weights()
        for part, value in zip(parts, values, strict=True):
            part.append(value)
    new, past, bias, past_bias, hidden, hidden_bias, answer, answer_bias = parts
    # the layer reads each GRU, and all of them read the silence
    apart = np.concatenate([_apart([w[:-SILENCES] for w in hidden]), np.hstack([w[-SILENCES:] for w in hidden])])
    return LockWeights(
        *scales,
        _gates(new, np.hstack),
        _gates(past, _apart),
        _gates(bias, np.hstack),
        _gates(past_bias, np.hstack),
        apart,
        np.hstack(hidden_bias),
        np.vstack(answer)[:, 0] / np.float32(len(nets)),
        np.mean(answer_bias, axis=0),
    )


def _apart(blocks: Sequence[Singles]) -> Singles:
    """Return a matrix with `blocks` on its diagonal, and zeros elsewhere."""
    out = np.zeros(np.sum([block.shape for block in blocks], axis=0), np.float32)
    row = column = 0
    for block in blocks:
        rows, columns = block.shape
        out[row : row + rows, column : column + columns] = block
        row, column = row + rows, column + columns
    return out


def _gates(weights: Sequence[Singles], join: Callable[[Sequence[Singles]], Singles]) -> Singles:
    """Return the weights of several GRUs as those of one. `join` joins what belongs to the same of the three gates."""
    gates = zip(*(np.split(w, 3, axis=-1) for w in weights), strict=True)
    return np.concatenate([join(same) for same in gates], axis=-1)
