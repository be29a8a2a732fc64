"""Makes the noise that is mixed into training sound.

It is steady noise, mains hum, speech-like sound, or a recorded clip of the data set ESC-10.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
from scipy.signal import butter, lfilter, sosfilt

from device.errors import UserError
from training.pianos.renderer import RATE, Audio

Fold = Literal["fit", "evaluate"]
ESC_FOLDS: dict[Fold, str] = {"fit": "1-", "evaluate": "2-"}
"""Beginning of the names of ESC-10's files, by use. ESC-10's fold 1 is for fits, its fold 2 for evaluation only."""

# Poles and zeros by Paul Kellet (musicdsp.org, "Pink noise filter"): 1/f within 0.05 dB above 10 Hz at 44.1 kHz.
_PINK_B = (0.049922035, -0.095993537, 0.050612699, -0.004408786)
_PINK_A = (1.0, -2.494956002, 2.017265875, -0.522189400)

_FORMANTS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""First three formants in Hz of five vowels, spoken by men (Peterson and Barney 1952)."""


def unit_rms(audio: npt.NDArray[np.floating[Any]]) -> Audio:
    """Scale `audio` [samples] to an RMS of 1. Silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(audio, dtype=np.float64))))
    return np.asarray(audio / rms if rms > 0 else audio, np.float32)


def white(samples: int, rng: np.random.Generator) -> Audio:
    """Return white noise of RMS 1, float32 [samples]."""
    return rng.standard_normal(samples, np.float32)


def pink(samples: int, rng: np.random.Generator) -> Audio:
    """Return noise that falls by 3 dB per octave, RMS 1, float32 [samples]."""
    return unit_rms(lfilter(_PINK_B, _PINK_A, white(samples, rng)))


def brown(samples: int, rng: np.random.Generator) -> Audio:
    """Return noise that falls by 6 dB per octave above 20 Hz, like rumble or wind. RMS 1, float32 [samples]."""
    return unit_rms(lfilter(*butter(1, 20, fs=RATE), white(samples, rng)))


def hum(samples: int, rng: np.random.Generator) -> Audio:
    """Return mains hum at 50 or 60 Hz with up to twelve harmonics, RMS 1, float32 [samples]."""
    mains = float(rng.choice([50.0, 60.0])) * (1 + rng.uniform(-1e-3, 1e-3))
    orders = np.arange(1, rng.integers(2, 13))
    levels = rng.uniform(0.2, 1, len(orders)) / orders ** rng.uniform(0.5, 1.5)
    phase = 2 * np.pi * mains / RATE * np.arange(samples)
    total = np.zeros(samples)
    for order, level, start in zip(orders, levels, rng.uniform(0, 2 * np.pi, len(orders)), strict=True):
        total += level * np.sin(order * phase + start)
    return unit_rms(total)


def speech(samples: int, rng: np.random.Generator) -> Audio:
    """Return speech-like sound without words, RMS 1, float32 [samples].

    It consists of voiced syllables with gliding pitch and vowel formants, of hisses and of pauses.
    """
    voice = np.zeros(samples, np.float32)
    base = rng.uniform(90, 240)
    size = base / 130 if base > 160 else 1.0
    at = int(rng.uniform(0, 0.4) * RATE)
    while at < samples:
        length = int(rng.uniform(0.08, 0.32) * RATE)
        swell = np.hanning(length).astype(np.float32)
        if rng.random() < 0.2:
            hiss = np.diff(white(length + 1, rng))
            syllable = 0.3 * swell * unit_rms(hiss)
        else:
            pitch = base * 2 ** (np.linspace(rng.normal(0, 0.15), rng.normal(-0.1, 0.15), length))
            phase = np.cumsum(pitch) / RATE
            glottis = (phase % 1) - 0.5 + 0.05 * white(length, rng)
            syllable = swell * unit_rms(_formants(glottis, rng, min(size, 1.25)))
        syllable *= np.float32(rng.uniform(0.4, 1))
        end = min(at + length, samples)
        voice[at:end] += syllable[: end - at]
        at += length + int((rng.uniform(0.2, 0.9) if rng.random() < 0.12 else rng.uniform(0, 0.06)) * RATE)
    return unit_rms(voice)


def _formants(
    source: npt.NDArray[np.floating[Any]], rng: np.random.Generator, size: float
) -> npt.NDArray[np.floating[Any]]:
    total = np.zeros(len(source))
    for formant, level in zip(_FORMANTS_HZ[rng.integers(len(_FORMANTS_HZ))], (1.0, 0.5, 0.25), strict=True):
        radius = np.exp(-np.pi * 90 / RATE)
        angle = 2 * np.pi * formant * size / RATE
        total += level * lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], source)
    return total


COLOURS: tuple[Callable[[int, np.random.Generator], Audio], ...] = (white, pink, brown, hum, speech)


def load_clips(data: Path, fold: Fold) -> list[Audio]:
    """Return ESC-10's clips of `fold` in `data`/esc10-noise: float32 [samples] at 16 kHz, RMS 1 each.

    Silence at the ends of a clip is cut off. Raises UserError if `data` holds no clips.
    """
    paths = sorted((data / "esc10-noise").glob(f"*/{ESC_FOLDS[fold]}*.ogg"))
    if not paths:
        raise UserError(f"There are no noise clips in {data / 'esc10-noise'}: fetch ESC-10 or give --data.")
    high_pass = butter(2, 40, "highpass", fs=RATE, output="sos")
    clips = []
    for path in paths:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
        mono = sosfilt(high_pass, soxr.resample(audio.mean(axis=1), rate, RATE))
        audible = np.flatnonzero(np.abs(mono) > 1e-3 * np.abs(mono).max())
        clips.append(unit_rms(mono[audible[0] : audible[-1] + 1]))
    return clips


def clip_noise(samples: int, clips: list[Audio], rng: np.random.Generator) -> Audio:
    """Return one random clip of `clips`, repeated with pauses between, as float32 [samples] of RMS 1."""
    clip = clips[rng.integers(len(clips))]
    noise = np.zeros(samples, np.float32)
    at = -int(rng.integers(len(clip)))
    while at < samples:
        begin, end = max(at, 0), min(at + len(clip), samples)
        noise[begin:end] += clip[begin - at : end - at]
        at += len(clip) + int(rng.uniform(0, 3) * RATE)
    return unit_rms(noise)
