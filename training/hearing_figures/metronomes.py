"""Makes the sounds of metronomes other than a plain beep, for `python -m training beeps`.

Each sound is computed from what such a metronome is: bodies that ring, contacts that click, or a program that plays a
short tone. So the search for beeps is measured on sounds that it was not made for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from device.hearing.features import Samples
from training.hearing_figures.takes import RATE

Click: TypeAlias = Callable[[bool], Samples]
"""A function that returns one click with a peak of 1, float32 at `RATE`. The argument is True on the first beat."""

BAR = 4
"""Number of clicks from one accent to the next."""
_SEED = 5
"""Seed of the noises, so that a metronome's clicks are all alike, as recorded ones are."""
_WOOD_RATIOS, _WOOD_DECAYS_S = (1.0, 2.57, 4.95), (0.018, 0.009, 0.005)
"""Frequencies of the modes of a struck wooden bar that is thinner in the middle, over the lowest, and their decays."""
_CASE_HZ, _CASE_DECAYS_S = (1_150.0, 2_300.0, 3_700.0, 5_200.0), (0.008, 0.006, 0.004, 0.003)
"""Resonances in Hz of a mechanical metronome's case, and their decays in seconds."""
_PULSE = 0.25
"""Share of the period for which a pulse wave is high. Such a wave has even partials too."""


def _scaled(sound: NDArray[np.float64]) -> Samples:
    return np.asarray(sound / np.abs(sound).max(), np.float32)


def _time(seconds: float) -> NDArray[np.float64]:
    return np.arange(round(seconds * RATE)) / RATE


def wood_block(accent: bool) -> Samples:
    """Return the stroke of a wood block: three modes that are no harmonics, and the noise of the stick."""
    t, hz = _time(0.12), 1_050.0 if accent else 820.0
    modes = sum(
        np.sin(2 * np.pi * hz * ratio * t) * np.exp(-t / decay_s) / ratio
        for ratio, decay_s in zip(_WOOD_RATIOS, _WOOD_DECAYS_S, strict=True)
    )
    noise = np.random.default_rng(_SEED).normal(size=len(t)) * np.exp(-t / 0.002)
    return _scaled(np.asarray(modes + 0.2 * noise))


def mechanical(accent: bool) -> Samples:
    """Return the tick of a wound-up metronome: a hit that lets its case resound. The accent adds a small bell."""
    t = _time(0.25 if accent else 0.06)
    case = sum(
        np.sin(2 * np.pi * hz * t + 1.0) * np.exp(-t / decay_s)
        for hz, decay_s in zip(_CASE_HZ, _CASE_DECAYS_S, strict=True)
    )
    noise = np.random.default_rng(_SEED).normal(size=len(t)) * np.exp(-t / 0.0015)
    bell = 0.5 * np.sin(2 * np.pi * 2_793.0 * t) * np.exp(-t / 0.06) if accent else 0.0
    return _scaled(np.asarray(case + 2 * noise + bell))


def app_tick(accent: bool) -> Samples:
    """Return the tick of a telephone's app: 8 ms of noise above 2 kHz, which fades."""
    t = _time(0.03)
    noise = np.random.default_rng(_SEED).normal(size=len(t)) * np.exp(-t / (0.004 if accent else 0.0025))
    return _scaled(sosfilt(butter(2, 2_000.0, "high", fs=RATE, output="sos"), noise))


def program_click(accent: bool) -> Samples:
    """Return the click of a recording program: a sine that fades with a time constant of 15 ms, higher on the first."""
    t = _time(0.1)
    return _scaled(np.sin(2 * np.pi * (1_500.0 if accent else 1_000.0) * t) * np.exp(-t / 0.015))


def program_beep(accent: bool) -> Samples:
    """Return the longer beep of a recording program: a sine of 70 ms that fades by half, with edges of 3 ms."""
    t = _time(0.07)
    edges = np.minimum(1, np.minimum(t, 0.07 - t) / 0.003)
    return _scaled(np.sin(2 * np.pi * (1_760.0 if accent else 880.0) * t) * np.exp(-t / 0.1) * edges)


def pocket_metronome(accent: bool) -> Samples:
    """Return the beep of a pocket metronome: a pulse wave of 45 ms, through a small disc that resonates at 4 kHz."""
    t, hz = _time(0.045), 1_000.0 if accent else 750.0
    numbers = range(1, int(0.45 * RATE / hz))
    wave = sum(np.sin(np.pi * n * _PULSE) / n * np.cos(2 * np.pi * n * hz * t) for n in numbers)
    disc = butter(1, (3_000.0, 5_000.0), "band", fs=RATE, output="sos")
    return _scaled(np.asarray(wave + sosfilt(disc, np.asarray(wave))))


METRONOMES: dict[str, Click] = {
    "wood block": wood_block,
    "mechanical": mechanical,
    "tick of an app": app_tick,
    "click of a program": program_click,
    "beep of a program": program_beep,
    "pocket metronome": pocket_metronome,
}
"""The metronomes by name."""
