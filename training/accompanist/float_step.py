"""Runs a fitted accompanist in floats with the same interface as the exported model on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


class FloatStep:
    """An `AccompanistNet` with the interface of `StepModel`, so that it runs without an export.

    It computes in numpy.
    """

    def __init__(self, net: Any) -> None:
        def plain(tensors: Any) -> list[Array]:
            return [np.asarray(keras.ops.convert_to_numpy(tensor), np.float32) for tensor in tensors]

        self._embed = plain(net.embed.matrix())
        self._gru = plain(net.gru.matrices())
        self._mix = plain(net.mix.matrix())
        self._head = plain(net.head.matrix())
        self._size = net.state_size
        self.reset()

    @classmethod
    def of_fit(cls, folder: Path, which: str = "best") -> FloatStep:
        """Return the step of the net that was fitted in `folder`, with the weights `which`: "best" or "last"."""
        from training.accompanist.fit import load_net

        return cls(load_net(folder, which))

    def reset(self) -> None:
        """Set the state to zero."""
        self.state = np.zeros(self._size, np.float32)

    def step(self, **inputs: Array) -> dict[str, Array]:
        """Run one step. The input is `x` [INPUT_SIZE] or [1, INPUT_SIZE].

        Returns the outputs y_chord [12], y_ahead [12], y_bass [13] and y_strike [3].
        """
        x = np.asarray(inputs["x"], np.float32).reshape(-1)
        n = self._size
        kernel, bias, state_kernel, state_bias = self._gru
        projected = np.maximum(x @ self._embed[0] + self._embed[1], 0) @ kernel + bias
        inner = self.state @ state_kernel + state_bias
        gates = _sigmoid(projected[: 2 * n] + inner[: 2 * n])
        new = np.tanh(projected[2 * n :] + gates[n:] * inner[2 * n :])
        self.state = new + gates[:n] * (self.state - new)
        out = np.maximum(self.state @ self._mix[0] + self._mix[1], 0) @ self._head[0] + self._head[1]
        bass = np.exp(out[24:37] - out[24:37].max())
        return {
            "y_chord": _sigmoid(out[:12]),
            "y_ahead": _sigmoid(out[12:24]),
            "y_bass": bass / bass.sum(),
            "y_strike": _sigmoid(out[37:]),
        }


def _sigmoid(x: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-x)), np.float32)
