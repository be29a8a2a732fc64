"""Turns frames into posteriors: runs the streaming net on one frame at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS
from device.hearing.features import Frames, finite

ONSET, FRAME, OFFSET, VELOCITY = range(4)
"""Indices of the four outputs of the net in the last axis of a posterior."""


class Stepper(Protocol):
    """Runs a step model: `device.bundles.tflite.StepModel`, or a float model in training."""

    def step(self, **inputs: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Run one step. The states of the model are kept inside."""
        ...

    def reset(self) -> None:
        """Set the states to their values before the first step."""
        ...


class Transcriber:
    """Turns a frame and the sent notes into [88, 4] posteriors (onset, frame, offset, velocity), each 0 to 1."""

    def __init__(self, model: Stepper) -> None:
        self._model = model
        self.not_finite = 0
        """Number of frames since the reset whose posterior had a value that is not finite."""

    def reset(self) -> None:
        """Forget all frames."""
        self._model.reset()
        self.not_finite = 0

    def step(self, frame: Frames, own: NDArray[np.float32]) -> NDArray[np.float32]:
        """frame [bins, channels] levels, own [1, 88, 2] as `OwnNotes.frame` → [88, 4].

        Values that are not finite become 0.
        """
        posterior = self._model.step(x=frame[None, None], own=own[None])["y"].reshape(KEYS, 4)
        if not finite(posterior) and not np.isfinite(posterior).all():
            posterior = np.where(np.isfinite(posterior), posterior, np.float32(0))
            self.not_finite += 1
        return posterior
