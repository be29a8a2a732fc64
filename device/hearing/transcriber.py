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

    def reset(self) -> None:
        """Forget all frames."""
        self._model.reset()

    def step(self, frame: Frames, own: NDArray[np.float32]) -> NDArray[np.float32]:
        """frame [bins, channels] levels, own [1, 88, 2] as `OwnNotes.frame` → [88, 4]; what is not a number is 0."""
        posterior = self._model.step(x=frame[None, None], own=own[None])["y"].reshape(KEYS, 4)
        if not finite(posterior):
            posterior = np.where(np.isnan(posterior), np.float32(0), posterior)
        return posterior
