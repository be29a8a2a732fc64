"""Frames to posteriors: the streaming net, one frame at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS
from device.hearing.features import Frames, finite

ONSET, FRAME, OFFSET, VELOCITY = range(4)
"""The heads, in the order of a posterior's last axis."""


class Stepper(Protocol):
    """What runs a step model: `device.bundles.tflite.StepModel`, or a float model in training."""

    def step(self, **inputs: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """One step; states are kept inside."""
        ...

    def reset(self) -> None:
        """States as before the first step."""
        ...


class Transcriber:
    """A frame and what we sent → [88, 4] posteriors (onset, frame, offset, velocity), each 0..1."""

    def __init__(self, model: Stepper) -> None:
        self._model = model
        self.not_finite = 0
        """Frames since the reset whose posterior held a value that is no finite number."""

    def reset(self) -> None:
        """Forget all frames."""
        self._model.reset()
        self.not_finite = 0

    def step(self, frame: Frames, own: NDArray[np.float32]) -> NDArray[np.float32]:
        """frame [bins, channels] levels, own [1, 88, 2] as `OwnNotes.frame` → [88, 4]; no finite number becomes 0."""
        posterior = self._model.step(x=frame[None, None], own=own[None])["y"].reshape(KEYS, 4)
        if not finite(posterior) and not np.isfinite(posterior).all():
            posterior = np.where(np.isfinite(posterior), posterior, np.float32(0))
            self.not_finite += 1
        return posterior
