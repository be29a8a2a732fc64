"""Defines two recurrent cells that the diary (see setup.py) uses and Keras does not have.

One reads its outputs after several delays. The other reads the same input several times in a step.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from training.experiments.music_generation.setup import DELAYS

Tensor = Any


class LatencyCell(layers.Layer):
    """An LSTM cell whose gates read its outputs of `DELAYS` steps ago, and not only that of the step before.

    Its state has two parts: the memory [B, units], and the last outputs, newest first, [B, max(DELAYS) * units].
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = self.output_size = units
        self.state_size = [units, max(DELAYS) * units]
        self.gates = layers.Dense(4 * units)

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.gates.build((shape[0], (shape[-1] or 0) + len(DELAYS) * self.units))
        self.built = True

    def call(self, x: Tensor, states: list[Tensor], training: bool | None = None) -> tuple[Tensor, list[Tensor]]:
        memory, past = states
        earlier = [past[:, (lag - 1) * self.units : lag * self.units] for lag in DELAYS]
        enter, forget, new, leave = ops.split(self.gates(ops.concatenate([x, *earlier], axis=-1)), 4, axis=-1)
        memory = ops.sigmoid(forget + 1.0) * memory + ops.sigmoid(enter) * ops.tanh(new)
        out = ops.sigmoid(leave) * ops.tanh(memory)
        return out, [memory, ops.concatenate([out, past[:, : -self.units]], axis=-1)]


class RepeatCell(layers.Layer):
    """An LSTM cell that reads the same input `times` times in one step, and gives probabilities each time.

    Each time i, the cell returns probabilities p_i of the notes and of a pause. All times together are [B, times *
    (width + 1)]. The probability p that a note has been drawn so far becomes p + (1 - p) p_i. The cell reads this
    probability too, the next time.
    """

    def __init__(self, units: int, times: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.times, self.width = times, width
        self.output_size = times * (width + 1)
        self.cell = layers.LSTMCell(units)
        self.out = layers.Dense(width + 1)
        self.state_size = [units, units]

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.cell.build((shape[0], (shape[-1] or 0) + self.width))
        self.out.build((shape[0], self.cell.units))
        self.built = True

    def call(self, x: Tensor, states: list[Tensor], training: bool | None = None) -> tuple[Tensor, list[Tensor]]:
        sure = ops.zeros_like(x[:, : self.width])
        found = []
        for _ in range(self.times):
            y, states = self.cell(ops.concatenate([x, sure], axis=-1), states)
            found.append(ops.softmax(self.out(y), axis=-1))
            sure = sure + (1.0 - sure) * found[-1][:, : self.width]
        return ops.concatenate(found, axis=-1), states


def recurrent(cell: keras.layers.Layer) -> keras.layers.Layer:
    """Return a layer that runs a cell over whole sequences and returns its output at every step."""
    return layers.RNN(cell, return_sequences=True)
