"""The interface through which the note banks use every sampled or computed piano."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt

RATE = 16_000
"""Sample rate of rendered notes and scenes, in Hz."""

Audio = npt.NDArray[np.float32]
"""Mono samples at `RATE`, -1 to 1."""


class Renderer(ABC):
    """Renders held notes of one instrument."""

    @abstractmethod
    def note(self, pitch: int, velocity: int, seconds: float) -> Audio:
        """Return float32 [samples] at 16 kHz: `pitch` (MIDI) struck at `velocity` and held for `seconds`."""
