"""Reads the weights of the clock's recurrent nets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

Singles = npt.NDArray[np.float32]


def read_weights(file: Path) -> dict[str, Singles]:
    """Return all arrays of the .npz file `file` by name, as float32. Raises OSError if it cannot be read."""
    with np.load(file, allow_pickle=False) as data:
        return {name: np.ascontiguousarray(data[name], np.float32) for name in data.files}
