"""Samples to log-frequency frames: the one implementation, on the device and in training.

Every hop, several asymmetric windows that end at the newest sample (a long rise, a short fall: the weight lies close to
now) are transformed and their energy is gathered in log-frequency bands, three to a semitone, in dBFS.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
Frames: TypeAlias = NDArray[np.float32]

BATCH_FRAMES = 256
"""Frames transformed at once by `Features.frames`; bounds its memory, changes no value."""


@dataclass(frozen=True)
class FeatureSpec:
    """Everything that decides a feature's value; it travels in the bundle's manifest."""

    sample_rate: int = 16_000
    hop: int = 256
    window_lengths: tuple[int, ...] = (4096, 2048, 768)
    window_falls: tuple[int, ...] = (768, 512, 256)
    """Samples of the falling end of each window: the nearer to now the peak, the sooner an onset shows."""
    lowest_hz: float = 27.5
    bins_per_octave: int = 36
    bins: int = 294
    """98 semitones of three bins from A0: the 88 keys and, above them, harmonics up to 8 kHz."""
    floor_db: float = -100.0

    @property
    def channels(self) -> int:
        """One channel a window."""
        return len(self.window_lengths)

    @property
    def hop_s(self) -> float:
        """Seconds between two frames."""
        return self.hop / self.sample_rate

    def to_dict(self) -> dict[str, Any]:
        """For the manifest."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> FeatureSpec:
        """From the manifest; an unknown or missing key raises TypeError."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in d.items()}
        return cls(**values)


def asymmetric_window(length: int, fall: int) -> NDArray[np.float64]:
    """A half Hann rise of `length - fall` samples, then a half Hann fall of `fall` samples."""
    rise = length - fall
    up = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise)
    down = 0.5 + 0.5 * np.cos(np.pi * (np.arange(fall) + 0.5) / fall)
    return np.concatenate([up, down])


class _Band:
    """Energy of one window in log-frequency bands, read off the cumulated power spectrum at the bands' edges."""

    def __init__(self, spec: FeatureSpec, length: int, fall: int) -> None:
        self.length = length
        self.window = asymmetric_window(length, fall)
        # Parseval for a full-scale sine, one-sided: its whole main lobe sums to 0 dBFS
        self.gain = 4.0 / (length * float(np.sum(self.window**2)))
        spacing = spec.sample_rate / length
        # bin 3p + 1 lies on key p, its neighbours a third of a semitone beside it
        centre = spec.lowest_hz * 2.0 ** ((np.arange(spec.bins) - 1) / spec.bins_per_octave)
        half = np.maximum(centre * (2.0 ** (0.5 / spec.bins_per_octave) - 1.0), spacing / 2)
        last = length // 2 + 1
        # the power of FFT bin j spreads evenly over [j - 1/2, j + 1/2]: edge e lies at e / spacing + 1/2 of the sum
        low = np.clip((centre - half) / spacing + 0.5, 0, last - 1e-9)
        high = np.clip((centre + half) / spacing + 0.5, 0, last - 1e-9)
        edges = np.concatenate([low, high])
        self.index = edges.astype(np.intp)
        self.part = edges - self.index
        self.bins = spec.bins

    def energy(self, blocks: NDArray[np.float64]) -> NDArray[np.float64]:
        """[frames, length] samples → [frames, bins] energy, full-scale sine = 1."""
        spectrum = np.fft.rfft(blocks * self.window, axis=-1)
        power = spectrum.real**2 + spectrum.imag**2
        total = np.zeros((len(blocks), power.shape[-1] + 1))
        np.cumsum(power, axis=-1, out=total[:, 1:])
        at_edge = total[:, self.index] + self.part * power[:, self.index]
        energy: NDArray[np.float64] = (at_edge[:, self.bins :] - at_edge[:, : self.bins]) * self.gain
        return energy


class Features:
    """Streaming front end: a hop of samples in, a frame out.

    A sample that is not finite counts as 0 and one beyond full scale as full scale, so nothing poisons later frames.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self._bands = [_Band(spec, n, f) for n, f in zip(spec.window_lengths, spec.window_falls, strict=True)]
        self._past = np.zeros(max(spec.window_lengths))

    def reset(self) -> None:
        """Forget all samples."""
        self._past[:] = 0

    def step(self, hop: Samples) -> Frames:
        """[hop] float32 samples in -1..1 → [bins, channels] float32 levels, 0 = floor_db, 1 = 0 dBFS."""
        if hop.shape != (self.spec.hop,):
            raise ValueError(f"a hop has {self.spec.hop} samples, not {hop.shape}")
        self._past = np.concatenate([self._past[self.spec.hop :], clean(hop)])
        frame: Frames = self._levels(self._past[None, :])[0]
        return frame

    def frames(self, samples: Samples) -> Frames:
        """[n] samples → [n // hop, bins, channels] levels: `step` over the whole hops of a recording, from silence."""
        past = np.concatenate([np.zeros(len(self._past)), clean(samples)])
        count = len(samples) // self.spec.hop
        out = np.empty((count, self.spec.bins, self.spec.channels), np.float32)
        views = np.lib.stride_tricks.sliding_window_view(past, len(self._past))[self.spec.hop :: self.spec.hop]
        for i in range(0, count, BATCH_FRAMES):
            out[i : i + BATCH_FRAMES] = self._levels(views[i : min(i + BATCH_FRAMES, count)])
        return out

    def _levels(self, past: NDArray[np.float64]) -> Frames:
        """[frames, longest window] samples → [frames, bins, channels] levels."""
        energy = np.stack([band.energy(past[:, -band.length :]) for band in self._bands], axis=-1)
        # the cumulated sum's rounding can leave a tiny negative energy in a silent band
        decibels = 10 * np.log10(np.maximum(energy, 10 ** (self.spec.floor_db / 10)))
        levels: NDArray[np.float64] = np.clip(1 - decibels / self.spec.floor_db, 0, 1)
        return levels.astype(np.float32)


def clean(samples: Samples) -> NDArray[np.float64]:
    """Samples as float64 with what is not finite set to 0, within full scale."""
    finite = np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return np.asarray(np.clip(finite, -1, 1))


def golden_input(spec: FeatureSpec, frames: int = 40) -> Samples:
    """The fixed input of the manifest's fingerprint: a decaying harmonic tone, a glide and a click."""
    t = np.arange(frames * spec.hop) / spec.sample_rate
    tone = sum(np.sin(2 * np.pi * 220 * h * t) / h for h in range(1, 9)) * np.exp(-3 * t) * 0.2
    glide = 0.05 * np.sin(2 * np.pi * (100 * t + 2000 * t**2))
    samples = np.asarray(tone + glide)
    samples[len(samples) // 2] += 0.5
    return samples.astype(np.float32)
