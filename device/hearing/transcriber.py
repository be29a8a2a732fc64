"""Turns frames of sound into posteriors: runs the streaming net on one frame at a time.

A posterior is a number from 0 to 1 that the net gives for a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS
from device.hearing.features import Frames, finite

ONSET, FRAME, OFFSET, VELOCITY = range(4)
"""Columns of the four numbers that the net gives for each key."""


class Stepper(Protocol):
    """Runs a model one step at a time: `device.bundles.tflite.StepModel`, or a float model in training."""

    def step(self, **inputs: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Run the model on one step of inputs and return its outputs, both arrays by name. It remembers its states."""
        ...

    def reset(self) -> None:
        """Set the states to their values before the first step."""
        ...


class Transcriber:
    """Turns frames of sound, and the notes that the box has sent, into posteriors, by a neural net.

    The net gives four numbers from 0 to 1 for each key. The first three are probabilities: `ONSET` that a note begins,
    `FRAME` that a note sounds, and `OFFSET` that a note ends. The fourth, `VELOCITY`, is the MIDI velocity / 127.
    """

    def __init__(self, model: Stepper) -> None:
        self._model = model
        self.not_finite = 0
        """Number of frames since the reset for which the net returned NaN or infinity."""

    def reset(self) -> None:
        """Forget all frames, and count from 0 the frames for which the net returns NaN or infinity."""
        self._model.reset()
        self.not_finite = 0

    def step(self, frame: Frames, own: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the net on one frame of sound and return the four numbers of each key, in the shape [88, 4].

        `frame` is a result of `Features.step`. `own` is a result of `OwnNotes.frame`. A returned number that would be
        NaN or infinite is replaced by 0.
        """
        posterior = self._model.step(x=frame[None, None], own=own[None])["y"].reshape(KEYS, 4)
        if not finite(posterior):
            posterior = np.where(np.isfinite(posterior), posterior, np.float32(0))
            self.not_finite += 1
        return posterior
