"""The path from the piano to the samples: a random room and a random microphone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import butter, oaconvolve, sosfilt

from training.pianos.renderer import RATE, Audio


def room_response(rt60_s: float, direct_to_reverberant_db: float, rng: np.random.Generator) -> Audio:
    """Return a room's impulse response, float32 [taps] at 16 kHz. The direct path is exactly 1 at tap 0.

    Early reflections come between 2 and 40 ms. Noise begins at a random time between 4 and 20 ms and decays by 60 dB in
    `rt60_s`; its treble decays up to twice as fast, because air and walls absorb it. The energy after tap 0 is
    `direct_to_reverberant_db` below the direct path's.
    """
    taps = int(max(rt60_s, 0.05) * RATE)
    time_s = np.arange(taps) / RATE
    noise = rng.standard_normal(taps)
    bass = sosfilt(butter(1, 1500, fs=RATE, output="sos"), noise)
    decay = -np.log(1000) / rt60_s
    late = bass * np.exp(decay * time_s) + (noise - bass) * np.exp(decay * rng.uniform(1, 2) * time_s)
    late[: int(rng.uniform(0.004, 0.02) * RATE)] = 0
    early = np.zeros(taps)
    at_s = np.sort(rng.uniform(0.002, 0.04, rng.integers(4, 16)))
    strength = rng.uniform(0.3, 1, len(at_s)) * np.exp(decay * at_s) * rng.choice([-1, 1], len(at_s))
    early[(at_s * RATE).astype(int)] = strength
    tail = late / np.sqrt(np.sum(late**2)) + rng.uniform(0.3, 1.2) * early / np.sqrt(np.sum(early**2))
    tail *= 10 ** (-direct_to_reverberant_db / 20) / np.sqrt(np.sum(tail**2))
    tail[0] = 1
    return np.asarray(tail, np.float32)


def in_room(audio: Audio, response: Audio) -> Audio:
    """Return `audio` float32 [samples] convolved with `response`. Length and onsets stay the same."""
    return np.asarray(oaconvolve(audio, response)[: len(audio)], np.float32)


def peak_section(frequency_hz: float, gain_db: float, q: float) -> npt.NDArray[np.float64]:
    """Return a filter that raises or lowers the level around `frequency_hz` by `gain_db` (a peaking equaliser).

    The filter is an array of six coefficients b0 b1 b2 1 a1 a2. `q` is large for a narrow peak. The formula is from R.
    Bristow-Johnson, Audio EQ Cookbook.
    """
    gain, angle = 10 ** (gain_db / 40), 2 * np.pi * frequency_hz / RATE
    alpha = np.sin(angle) / (2 * q)
    section = np.array([1 + alpha * gain, -2 * np.cos(angle), 1 - alpha * gain,
                        1 + alpha / gain, -2 * np.cos(angle), 1 - alpha / gain])  # fmt: skip
    return np.asarray(section / section[3])


def shelf_section(frequency_hz: float, gain_db: float, high: bool) -> npt.NDArray[np.float64]:
    """Return a filter that changes the level by `gain_db` on one side of `frequency_hz` (a shelf of slope 1).

    The side is above if `high` is true, else below. The filter is an array of six coefficients b0 b1 b2 1 a1 a2. The
    formula is from R. Bristow-Johnson, Audio EQ Cookbook.
    """
    gain, angle = 10 ** (gain_db / 40), 2 * np.pi * frequency_hz / RATE
    # The high shelf is the low shelf with the opposite sign of every cosine, of b1 and of a1.
    sign = -1 if high else 1
    cos, root = sign * np.cos(angle), 2 * np.sqrt(gain) * np.sin(angle) / np.sqrt(2)
    up, down = gain + 1, gain - 1
    section = np.array([gain * (up - down * cos + root), sign * 2 * gain * (down - up * cos),
                        gain * (up - down * cos - root), up + down * cos + root, sign * -2 * (down + up * cos),
                        up + down * cos - root])  # fmt: skip
    return np.asarray(section / section[3])


def microphone(rng: np.random.Generator, strength: float = 1.0) -> npt.NDArray[np.float64]:
    """Return a random microphone as a filter of second-order sections [n, 6].

    It imitates the microphones of laptops and telephones. It has two to four peaks or shelves in all, each of which
    raises or lowers the level by up to 8 dB * `strength`. Usually it has a high-pass (20 to 200 Hz) too, and sometimes
    a low-pass (4 to 7.5 kHz).
    """
    sections = []
    for _ in range(rng.integers(2, 5)):
        frequency = 60 * (7000 / 60) ** rng.random()
        gain = strength * rng.uniform(-8, 8)
        kind = rng.integers(3)
        sections.append(
            peak_section(frequency, gain, rng.uniform(0.4, 2.5))
            if kind == 0
            else shelf_section(frequency, gain, high=kind == 1)
        )
    if rng.random() < 0.7:
        cutoff = 20 * 10 ** (rng.random() * min(strength, 1.0))
        sections.extend(butter(int(rng.integers(1, 3)), cutoff, "highpass", fs=RATE, output="sos"))
    if rng.random() < 0.3:
        sections.extend(butter(int(rng.integers(1, 3)), rng.uniform(4000, 7500), fs=RATE, output="sos"))
    return np.stack(sections)


def through_microphone(audio: Audio, sections: npt.NDArray[np.float64]) -> Audio:
    """Return `audio` float32 [samples], filtered causally by second-order `sections` [n, 6]."""
    return np.asarray(sosfilt(sections.astype(np.float32), audio), np.float32)
