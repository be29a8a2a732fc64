"""Defines `Judged`, the answers of a classifier to test sounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Judged:
    """Holds the probabilities that a classifier gives to n test sounds: mean and variance, each [n, classes]."""

    mean: Array
    variance: Array

    @property
    def told(self) -> Array:
        """Return the number of the likeliest class of each sound, int [n]."""
        return np.asarray(np.argmax(self.mean, axis=1))
