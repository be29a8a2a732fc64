"""Sympathetic resonance: while the pedal is down, every note makes all strings of the piano sound."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.signal import oaconvolve

from device.events import KEYS, LOWEST_KEY
from training.pianos.modal import HIGHEST_HZ, PianoDesign, decay_rates, first_partials, inharmonicity, ring
from training.pianos.renderer import RATE, Audio

RINGING = 8
"""Number of different sets of strings that can resonate. Each set belongs to another `PianoDesign`."""
LONGEST_S = 3.0
"""Seconds of the strings' impulse response."""
DAMPED_S = 0.06
"""Time constant in seconds with which all dampers together silence the strings."""
FADED = 7.0
"""Number of time constants after which the fading resonance is cut. It is inaudible by then."""
PARTIALS = 24
"""Number of partials of each string."""
SLOPE_DB = -4.0
"""Slope in dB per octave above 500 Hz. The soundboard excites the strings less at high frequencies."""


@lru_cache(maxsize=RINGING)
def open_strings(seed: int) -> Audio:
    """Return the response of all strings of the piano of `seed` to an impulse at the bridge.

    The response is float32 [samples] at 16 kHz, with energy 1. Every partial of every string is a mode with its own
    decay (`training.pianos.modal.decay_rates`) and its own phase, because the strings meet the bridge at different
    places. Lehtonen, Penttinen, Rauhala and Valimaki, "Analysis and modeling of piano sustain-pedal effects", J.
    Acoust. Soc. Am. 122, 2007, measure such a resonance, which is longer in the bass.
    """
    design, rng = PianoDesign.drawn(seed), np.random.default_rng([seed, 2])
    first = first_partials(design)
    rates, weights = [], []
    for key in range(KEYS):
        pitch = LOWEST_KEY + key
        stiff = float(inharmonicity(pitch, design))
        n = np.arange(1, PARTIALS + 1)
        hz = first[key] * n * np.sqrt((1 + stiff * n**2) / (1 + stiff))
        hz = hz[hz < HIGHEST_HZ]
        alone, taken = decay_rates(pitch, hz, design)
        level_db = SLOPE_DB * np.maximum(np.log2(hz / 500), 0) + rng.normal(0, 4, len(hz))
        rates.append(-(alone + taken / 2) + 2j * np.pi * hz)
        weights.append(10 ** (level_db / 20) * np.exp(2j * np.pi * rng.random(len(hz))))
    answer = ring(np.concatenate(rates), np.concatenate(weights), int(LONGEST_S * RATE))
    return np.asarray(answer / np.sqrt(np.sum(answer**2)), np.float32)


def ringing(audio: Audio, pedal: Sequence[tuple[float, float]], answer: Audio, level_db: float) -> Audio:
    """Return the sympathetic resonance to `audio` float32 [samples], of the same length.

    `pedal` holds the spans (down, up) in seconds. `level_db` is the level of the resonance to noise. The resonance to
    notes is about 10 dB louder, because they excite its modes.
    """
    heard = np.zeros(len(audio), np.float32)
    constant, gain = DAMPED_S * RATE, np.float32(10 ** (level_db / 20))
    for down_s, up_s in pedal:
        down, up = (int(np.clip(round(at_s * RATE), 0, len(audio))) for at_s in (down_s, up_s))
        stop = min(up + int(FADED * constant), len(audio))
        if up - down < 2:
            continue
        rung = oaconvolve(audio[down:up], answer[: stop - down])[: stop - down]
        rung[up - down :] *= np.exp(-np.arange(stop - up) / constant)
        heard[down : down + len(rung)] += gain * rung.astype(np.float32)
    return heard
