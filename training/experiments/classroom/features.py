"""Computes features of short sounds: a constant-Q spectrum, MFCC, and the coefficients of linear prediction.

Every function raises UserError if librosa is not installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import UserError
from training.experiments.classroom.sounds import RATE

LPC_ORDER = 32
"""Order of the linear prediction."""
MFCC = 20
"""Number of cepstral coefficients."""
HOP = 512
"""Samples from one frame to the next."""
FLOOR_DB = -80.0
"""Levels below this are raised to it, in dB below the loudest possible sine."""

Array = npt.NDArray[Any]


def _librosa() -> Any:
    try:
        import librosa
    except ImportError:
        raise UserError("The class-room experiment needs librosa: pip install 'lefthand[train]'.") from None
    return librosa


def cqt(audio: Array) -> Array:
    """Return the levels of a constant-Q spectrum of `audio`, averaged over the sound, float32 [60].

    There is one value for each semitone from C2.
    """
    power = np.abs(_librosa().cqt(audio, sr=RATE, hop_length=HOP, fmin=65.406, n_bins=60)) ** 2
    return np.maximum(10 * np.log10(power.mean(axis=1) + 1e-10), FLOOR_DB).astype(np.float32)


def mfcc(audio: Array) -> Array:
    """Return the mel-frequency cepstral coefficients of `audio`, float32 [2 * MFCC].

    First come their means over the frames, then their standard deviations.
    """
    found = _librosa().feature.mfcc(y=audio, sr=RATE, n_mfcc=MFCC, hop_length=HOP, n_fft=2048)
    return np.concatenate([found.mean(axis=1), found.std(axis=1)]).astype(np.float32)


def lpc(audio: Array) -> Array:
    """Return the coefficients of the linear prediction (Burg's method) without the leading 1, then the level in dB.

    The result is float32 [LPC_ORDER + 1].
    """
    loud = 10 * np.log10(float(np.mean(audio**2)) + 1e-10)
    coefficients = _librosa().lpc(audio.astype(np.float64) + 1e-9, order=LPC_ORDER)[1:]
    return np.append(coefficients, loud).astype(np.float32)


FEATURES: dict[str, Callable[[Array], Array]] = {"cqt": cqt, "mfcc": mfcc, "lpc": lpc}


def of_all(name: str, audio: Array) -> Array:
    """Return one kind of feature for all sounds [n, samples], float32 [n, features].

    `name` is a key of `FEATURES`. A progress bar is shown.
    """
    return np.stack([FEATURES[name](sound) for sound in tqdm(audio, desc=name)])
