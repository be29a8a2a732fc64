"""Gives the sound of the long runs: the demo recording, repeated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DEMO = Path(__file__).parents[2] / "demo" / "right-hand.flac"
PAUSE_S = 4.0
"""Seconds between two rounds of the demo. The box ends its playing in this pause; a count-in begins the next round."""


def music(seconds: float, rate: int) -> NDArray[np.float32]:
    """Return the demo, repeated, as float32[seconds * rate]."""
    import soundfile
    import soxr

    sound, own_rate = soundfile.read(DEMO, dtype="float32")
    once = np.concatenate([soxr.resample(sound, own_rate, rate), np.zeros(round(PAUSE_S * rate), np.float32)])
    return np.tile(once, int(np.ceil(seconds * rate / len(once))))[: round(seconds * rate)].astype(np.float32)
