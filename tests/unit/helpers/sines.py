"""A piano of sines: a note bank that is made quickly."""

from __future__ import annotations

import numpy as np

from device.events import KEYS, LOWEST_KEY
from training.pianos.banks import Bank
from training.pianos.renderer import RATE


def sine_bank() -> Bank:
    """Return a bank with one sample of half a second for every key, all at one velocity."""
    time_s = np.arange(RATE // 2) / RATE
    hz = 440 * 2 ** ((np.arange(KEYS) + LOWEST_KEY - 69) / 12)
    tones = 0.5 * np.sin(2 * np.pi * hz[:, None] * time_s) * np.exp(-4 * time_s)
    samples = np.round(tones[:, None] * 32767).astype(np.int16)
    level = np.full((KEYS, 1), -12.0)
    return Bank("sines", "sines", True, False, np.array([80.0]), samples, level, np.full((KEYS, 1), 0.5))
