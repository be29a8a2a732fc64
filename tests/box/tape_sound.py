"""The sound of the JACK client `tape`: a recording again and again, at the rate of the box's server."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr

RATE = 48_000
"""Hz of the JACK server in a box."""
TAPE, TAPE_S = "/opt/rig/tape.flac", 300
"""The file in the box, and its length in seconds, enough for a flash on a machine that is busy with other work."""


def again_and_again(recording: Path) -> bytes:
    """Write a FLAC file at RATE that repeats `recording` for TAPE_S seconds."""
    samples, rate = soundfile.read(recording, dtype="float32")
    samples = soxr.resample(samples, rate, RATE)
    file = io.BytesIO()
    soundfile.write(file, np.tile(samples, 1 + TAPE_S * RATE // len(samples)), RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
