"""Stand-ins for the accompanist's net, with a memory like the real net's."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device.left_hand.net_input import INPUT_SIZE

Array = npt.NDArray[np.float32]


class EchoNet:
    """Returns random but fixed functions of all its inputs so far."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self._see = rng.normal(0, 1.0, (INPUT_SIZE, 32)).astype(np.float32)
        self._say = rng.normal(0, 0.7, (32, 40)).astype(np.float32)
        self.inputs: list[Array] = []
        self.reset()

    def reset(self) -> None:
        self.inputs.clear()
        self._memory = np.zeros(32, np.float32)

    def step(self, *, x: Array) -> dict[str, Array]:
        self.inputs.append(x.copy())
        self._memory = np.tanh(0.5 * self._memory + x @ self._see).astype(np.float32)
        said = (1 / (1 + np.exp(-self._memory @ self._say))).astype(np.float32)
        return {
            "y_chord": said[:12],
            "y_ahead": said[12:24],
            "y_bass": said[24:37] / said[24:37].sum(),
            "y_strike": said[37:],
        }


class FixedNet:
    """Returns the same at every step: these pitch classes, and chances of a stroke (bass, upper keys, many keys)."""

    def __init__(
        self, classes: tuple[int, ...] = (0, 4, 7), strike: tuple[float, float, float] = (0.3, 0.3, 0.0)
    ) -> None:
        self._likely = np.full(12, 0.02, np.float32)
        self._likely[list(classes)] = 0.6
        self._bass = np.full(13, 0.01, np.float32)
        self._bass[classes[0]] = 0.8
        self._strike = np.array(strike, np.float32)

    def reset(self) -> None:
        return None

    def step(self, *, x: Array) -> dict[str, Array]:
        return {"y_chord": self._likely, "y_ahead": self._likely, "y_bass": self._bass, "y_strike": self._strike}
