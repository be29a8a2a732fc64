"""Runs a GRU, the recurrent layer of two of the clock's nets.

It is that of Keras with `reset_after` (Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014).
"""

from __future__ import annotations

import numpy as np

from device.following.weights import Singles


class Gru:
    """Holds the memory of one layer of n units, `memory` [n], in float32.

    It writes into arrays that it keeps, because with so few numbers the calls of numpy cost more than the numbers.
    """

    def __init__(self, past: Singles, past_bias: Singles) -> None:
        """Begin without a memory. The weights [n, 3n] and the bias [3n] are those of the memory.

        Their last axis has the gates update and reset and the new memory side by side.
        """
        self._past, self._past_bias = past, past_bias
        units = len(past)
        self.memory = np.zeros(units, np.float32)
        self._sums = np.empty(3 * units, np.float32)
        self._gates, self._fresh = self._sums[: 2 * units], self._sums[2 * units :]
        self._update, self._reset = self._sums[:units], self._sums[units : 2 * units]

    def forget(self) -> None:
        """Set the memory to zeros."""
        self.memory.fill(0)

    def step(self, inputs: Singles) -> None:
        """Change the memory by the sums [3n] of the weighted inputs and their bias."""
        gates, fresh, memory = self._gates, self._fresh, self.memory
        memory.dot(self._past, self._sums)
        self._sums += self._past_bias
        gates += inputs[: len(gates)]
        np.negative(gates, gates)
        np.exp(gates, gates)
        gates += 1
        np.reciprocal(gates, gates)
        fresh *= self._reset
        fresh += inputs[len(gates) :]
        np.tanh(fresh, fresh)
        memory -= fresh
        memory *= self._update
        memory += fresh
