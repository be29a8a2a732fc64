"""Builds the older transcribers' nets: a CNN, a CRNN and a small Transformer, from [frames, bins] to [frames, keys].

The outputs are logits. Each net sees a whole chunk, past and future. `inside` is 0 for a frame of padding. Padding does
not influence the other frames: it is zero in convolutions, and the GRU and the attention skip it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import keras
import numpy as np
from keras import layers, ops

Tensor: TypeAlias = Any

HEADS = 4
"""Number of attention heads of the Transformer."""
DROPOUT = 0.2
"""Share of values that dropout sets to 0 in training."""
POSITIVE = -3.0
"""The first bias of the logits. It is low, because few keys sound at a time."""


class Dropout(layers.Dropout):
    """Sets a share of values to 0 in training, and if `always` is true, also when the net listens."""

    def __init__(self, rate: float, always: bool) -> None:
        super().__init__(rate)
        self.always = always

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Return the inputs with a share of values set to 0, or unchanged."""
        return super().call(inputs, training=training or self.always)


def build(family: str, frames: int, bins: int, width: int, c: int, dropping: bool = False) -> keras.Model:
    """Build and return the net of a family. Its inputs are {x, inside}, its output logits [batch, frames, width].

    x [batch, frames, bins] are levels around 0. inside [batch, frames] is 1, or 0 for padding. `c` multiplies the width
    of every layer. If `dropping` is true, dropout stays on when the net listens, so each run gives another answer.
    """
    x = keras.Input((frames, bins), name="x")
    inside = keras.Input((frames,), name="inside")
    body = {"cnn": _cnn, "crnn": _crnn, "transformer": _transformer}[family]
    y = body(ops.expand_dims(x * inside[:, :, None], -1), inside, c, dropping)
    logits = layers.Dense(width, bias_initializer=keras.initializers.Constant(POSITIVE), name="keys")(y)
    return keras.Model({"x": x, "inside": inside}, logits, name=family)


def _convolve(y: Tensor, inside: Tensor, width: int, kernel: tuple[int, int], stride: int) -> Tensor:
    y = layers.Conv2D(width, kernel, strides=(1, stride), padding="same", use_bias=False)(y)
    y = ops.relu(layers.BatchNormalization(momentum=0.95)(y))
    return y * inside[:, :, None, None]


def _flat(y: Tensor, width: int, dropping: bool) -> Tensor:
    """Reduce [batch, frames, bins, channels] to [batch, frames, width], and return the result."""
    y = ops.reshape(y, (-1, y.shape[1], y.shape[2] * y.shape[3]))
    return Dropout(DROPOUT, dropping)(layers.Dense(width, activation="relu")(y))


def _cnn(y: Tensor, inside: Tensor, c: int, dropping: bool) -> Tensor:
    """Apply three convolutions and return their output. Kernels of 3, 5 and 3 frames see four frames on either side."""
    y = _convolve(y, inside, c, (3, 5), 2)
    y = _convolve(y, inside, 2 * c, (5, 5), 2)
    y = _convolve(y, inside, 4 * c, (3, 3), 1)
    return _flat(y, 48 * c, dropping)


def _stem(y: Tensor, inside: Tensor, c: int, dropping: bool) -> Tensor:
    y = _convolve(y, inside, c, (3, 3), 2)
    y = _convolve(y, inside, 2 * c, (3, 3), 2)
    y = _convolve(y, inside, 4 * c, (3, 3), 2)
    return _flat(y, 24 * c, dropping)


def _crnn(y: Tensor, inside: Tensor, c: int, dropping: bool) -> Tensor:
    """Apply convolutions, then a GRU in both directions that skips padding. Return the output."""
    y = _stem(y, inside, c, dropping)
    return layers.Bidirectional(layers.GRU(16 * c, return_sequences=True))(y, mask=ops.cast(inside, "bool"))


def _transformer(y: Tensor, inside: Tensor, c: int, dropping: bool) -> Tensor:
    """Apply convolutions, then two layers of self-attention (norm first). Return the output.

    The attention reads only frames that are not padding.
    """
    y = _stem(y, inside, c, dropping)
    frames, units = y.shape[1], y.shape[2]
    y = y + ops.convert_to_tensor(positions(frames, units))
    attended = ops.cast(inside, "bool")[:, None, :]
    for _ in range(2):
        z = layers.LayerNormalization()(y)
        z = layers.MultiHeadAttention(HEADS, units // HEADS)(z, z, attention_mask=attended)
        y = y + Dropout(DROPOUT, dropping)(z)
        z = layers.Dense(2 * units, activation="gelu")(layers.LayerNormalization()(y))
        y = y + Dropout(DROPOUT, dropping)(layers.Dense(units)(z))
    return layers.LayerNormalization()(y)


def positions(frames: int, units: int) -> np.ndarray[Any, Any]:
    """Return sinusoidal codes of the frames' positions (Vaswani et al. 2017), float32 [frames, units]."""
    at = np.arange(frames)[:, None] / 10_000 ** (np.arange(0, units, 2) / units)
    return np.concatenate([np.sin(at), np.cos(at)], axis=1)[:, :units].astype(np.float32)
