"""Makes spectrograms for the older transcribers: log-frequency, constant-Q and mel. Each covers a whole recording.

Frame k is centred k hops after the first sample. The shipped transcriber reads other features: see
`device.hearing.features`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UserError
from training.pianos.renderer import Audio

KINDS = ("log", "cqt", "mel")

LOWEST_HZ = 27.5
"""Lowest frequency of a spectrogram in Hz: A0, the lowest key of the piano."""
OCTAVES = 8
"""Greatest number of octaves of a spectrogram, counted from A0."""
WINDOW_S = 0.128
"""Seconds of the analysis window of `log` and `mel`. The labels use it for `cqt` too."""
FLOOR_DB = -100.0
"""Sound level in dB below full scale that becomes level 0. Softer sound becomes 0 too."""
MOST_MELS = 229
"""Most bands of a mel spectrogram, as in Hawthorne et al. (2018). With more, the lowest bands are empty."""

Levels = npt.NDArray[np.uint8]
"""Array of sound levels, [frames, bins]: 0 is `FLOOR_DB`, 255 is 0 dB."""


@dataclass(frozen=True)
class Spectrum:
    """Says how a recording becomes a spectrogram. `sample_rate` is in Hz, `hop` in samples.

    Raises UserError if a value is not allowed.
    """

    kind: str = "log"
    sample_rate: int = 16_000
    hop: int = 256
    bins_per_octave: int = 36

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"There is no spectrum {self.kind!r}: choose one of {', '.join(KINDS)}.")
        if not 4_000 <= self.sample_rate <= 48_000:
            raise UserError(f"--sr {self.sample_rate} is not between 4000 and 48000 Hz.")
        if not 0 < self.hop <= self.window:
            raise UserError(f"--hop-length {self.hop} is not between 1 and the window of {self.window} samples.")
        if not 12 <= self.bins_per_octave <= 96:
            raise UserError(f"--bins-per-octave {self.bins_per_octave} is not between 12 and 96.")

    @property
    def name(self) -> str:
        """Return the name of the spectrograms' folder in the cache."""
        return f"{self.kind}-{self.sample_rate}-{self.hop}-{self.bins_per_octave}"

    @property
    def window(self) -> int:
        """Return the length of the analysis window in samples, an even number."""
        return 2 * round(WINDOW_S * self.sample_rate / 2)

    @property
    def window_s(self) -> float:
        """Return the length of the analysis window in seconds."""
        return self.window / self.sample_rate

    @property
    def hop_s(self) -> float:
        """Return the time between two frames in seconds."""
        return self.hop / self.sample_rate

    @property
    def bins(self) -> int:
        """Return the number of bins of a frame.

        They cover whole semitones from A0, up to eight octaves or to 0.45 of the sample rate. A mel spectrogram has up
        to `MOST_MELS` bands instead.
        """
        if self.kind == "mel":
            return min(MOST_MELS, 8 * self.bins_per_octave)
        semitones = min(12 * OCTAVES, math.floor(12 * math.log2(0.45 * self.sample_rate / LOWEST_HZ)))
        return semitones * self.bins_per_octave // 12

    def frames(self, samples: int) -> int:
        """Return the number of frames in the spectrogram of a recording of `samples` samples."""
        return 1 + samples // self.hop

    def of(self, audio: Audio, rate: int) -> Levels:
        """Return the spectrogram of `audio`, float32 [samples] at `rate` Hz: levels uint8 [frames, bins].

        Raises UserError if the kind needs librosa and librosa is not installed.
        """
        import soxr

        y = np.asarray(soxr.resample(audio, rate, self.sample_rate) if rate != self.sample_rate else audio, np.float32)
        power = {"log": _log_frequency, "cqt": _constant_q, "mel": _mel}[self.kind](y, self)
        decibel = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
        return np.rint(255 * np.clip(1 - decibel / FLOOR_DB, 0, 1)).astype(np.uint8)


def _log_frequency(y: Audio, spectrum: Spectrum) -> npt.NDArray[np.float64]:
    """Return the power of `y` at frequencies with equal ratios, [frames, bins].

    It is interpolated in dB in a short-time Fourier transform of twice the window's length.
    """
    window, frames = spectrum.window, spectrum.frames(len(y))
    hann = np.hanning(window + 1)[:-1]
    padded = np.concatenate([np.zeros(window // 2), y, np.zeros(window)])
    views = np.lib.stride_tricks.sliding_window_view(padded, window)[:: spectrum.hop][:frames]
    hertz = LOWEST_HZ * 2.0 ** (np.arange(spectrum.bins) / spectrum.bins_per_octave)
    at = hertz / (spectrum.sample_rate / (2 * window))
    low = np.floor(at).astype(int)
    part = at - low
    out = np.empty((frames, spectrum.bins))
    for i in range(0, frames, 512):
        transformed = np.fft.rfft(views[i : i + 512] * hann, 2 * window, axis=-1)
        decibel = 20 * np.log10(np.abs(transformed) * 2 / hann.sum() + 1e-8)
        out[i : i + 512] = decibel[:, low] + part * (decibel[:, low + 1] - decibel[:, low])
    return np.asarray(10 ** (out / 10))


def _constant_q(y: Audio, spectrum: Spectrum) -> npt.NDArray[np.float64]:
    librosa = _librosa()
    transformed = librosa.cqt(
        y,
        sr=spectrum.sample_rate,
        hop_length=spectrum.hop,
        fmin=LOWEST_HZ,
        n_bins=spectrum.bins,
        bins_per_octave=spectrum.bins_per_octave,
        scale=False,
    )
    hertz = librosa.cqt_frequencies(spectrum.bins, fmin=LOWEST_HZ, bins_per_octave=spectrum.bins_per_octave)
    lengths, _ = librosa.filters.wavelet_lengths(freqs=hertz, sr=spectrum.sample_rate)
    return np.asarray((2 * np.abs(transformed).T[: spectrum.frames(len(y))] / lengths) ** 2)


def _mel(y: Audio, spectrum: Spectrum) -> npt.NDArray[np.float64]:
    librosa = _librosa()
    mel = librosa.feature.melspectrogram(
        y=y,
        sr=spectrum.sample_rate,
        n_fft=spectrum.window,
        hop_length=spectrum.hop,
        n_mels=spectrum.bins,
        fmin=LOWEST_HZ,
        norm=None,
    )
    return np.asarray(mel.T * (4 / spectrum.window**2), np.float64)


def _librosa() -> Any:
    try:
        import librosa
    except ImportError as error:
        raise UserError("--spectrum cqt and mel need librosa: pip install 'lefthand[peers]'.") from error
    return librosa
