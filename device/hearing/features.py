"""Turns samples into log-frequency frames. The device and the training use this one implementation.

A frame has the level of the sound in each band of frequencies. On every hop, several asymmetric windows that end at the
newest sample are transformed. Each window rises slowly and falls fast, so the newest samples have the most weight. The
energy is summed in log-frequency bands, three per semitone, in dBFS.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from device.hearing.newest import Newest
from device.hearing.spec import Spec

Samples: TypeAlias = NDArray[np.float32]
Frames: TypeAlias = NDArray[np.float32]

BATCH_FRAMES = 256
"""`Features.frames` transforms this many frames at once. The number limits the memory and changes no value."""
CENTS_PER_OCTAVE = 1200
BANDS_A_HOP = 10
"""Number of bands made in one hop when the tuning changes. All of them take half a second, and no hop is late."""
FULL_SCALE = np.array(1.0, np.float32)
"""Full scale, 1, as a 0-d array. numpy would otherwise convert a float to an array on every hop."""


@dataclass(frozen=True)
class FeatureSpec(Spec):
    """Holds all settings that decide the value of a feature. The manifest of the bundle stores them."""

    sample_rate: int = 16_000
    hop: int = 256
    window_lengths: tuple[int, ...] = (4096, 2048, 768)
    window_falls: tuple[int, ...] = (768, 512, 256)
    """Length of the falling end of each window, in samples. A short fall shows an onset sooner."""
    lowest_hz: float = 27.5
    bins_per_octave: int = 36
    bins: int = 294
    """Number of bands: 98 semitones from A0, three each.

    They hold the 88 keys, and above them harmonics up to 8 kHz.
    """
    floor_db: float = -100.0

    @property
    def channels(self) -> int:
        """Number of channels: one per window."""
        return len(self.window_lengths)

    @property
    def hop_s(self) -> float:
        """Seconds between two frames."""
        return self.hop / self.sample_rate


def asymmetric_window(length: int, fall: int) -> NDArray[np.float64]:
    """Return a window [`length`] of weights from 0 to 1: a half Hann rise, then a half Hann fall of `fall` samples."""
    rise = length - fall
    up = 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise)
    down = 0.5 + 0.5 * np.cos(np.pi * (np.arange(fall) + 0.5) / fall)
    return np.concatenate([up, down])


class _Bands:
    """Computes the energy of every window in log-frequency bands.

    A band is a weighted sum of the FFT bins that it overlaps. The spectra of all windows lie one after the other in one
    row, so one pass handles all of them.
    """

    def __init__(self, spec: FeatureSpec, cents: float = 0.0) -> None:
        """Prepare the windows. All bands are moved up by `cents`. They can be used when `ready` is true."""
        self.windows = [asymmetric_window(n, f) for n, f in zip(spec.window_lengths, spec.window_falls, strict=True)]
        first = np.cumsum([0] + [n // 2 + 1 for n in spec.window_lengths]).tolist()
        self.places = [slice(2 * begin, 2 * end) for begin, end in itertools.pairwise(first)]
        self.width = int(first[-1])
        self.shape = (spec.bins, spec.channels)
        # bin 3p + 1 is centred on key p; its two neighbours are a third of a semitone away
        centre = spec.lowest_hz * 2.0 ** ((np.arange(spec.bins) - 1) / spec.bins_per_octave)
        if cents:
            centre *= 2.0 ** (cents / CENTS_PER_OCTAVE)
        self._spec, self._starts, self._centre = spec, first, centre
        self._made = 0
        self._parts: list[tuple[NDArray[np.intp], NDArray[np.float64]]] = []
        """FFT bins and weights of the bands that are made so far, for each window. Empty when all bands are ready."""

    @property
    def ready(self) -> bool:
        """Whether all bands are made."""
        return self._made == self._spec.bins

    def make(self, count: int) -> None:
        """Make the next `count` bands of every window. To make all of them takes as long as several hops."""
        coming = self._centre[self._made : self._made + count]
        for band in coming:
            self._parts += [self._overlap(band, channel) for channel in range(self._spec.channels)]
        self._made += len(coming)
        if self.ready:
            self._order()
            self._make_room(1)

    def _order(self) -> None:
        """Put the bands with two FFT bins, more than half of all, first, so that one sum adds all of these pairs."""
        counts = np.array([len(bins) for bins, _ in self._parts])
        two, others = np.flatnonzero(counts == 2).tolist(), np.flatnonzero(counts != 2).tolist()
        self._pairs = len(two)
        ordered = [
            (bins[i : i + 1], weight[i : i + 1]) for i in range(2) for bins, weight in (self._parts[k] for k in two)
        ]
        ordered += [self._parts[k] for k in others]
        self.index = np.concatenate([bins for bins, _ in ordered])
        self.weight = np.concatenate([weight for _, weight in ordered])
        self.first = np.cumsum([0] + [counts[k] for k in others[:-1]])
        self._places = np.argsort(two + others)
        self._parts = []

    def _overlap(self, band: float, channel: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the FFT bins of a window that the band around `band` Hz overlaps, and their weights."""
        spec, window, length = self._spec, self.windows[channel], self._spec.window_lengths[channel]
        spacing = spec.sample_rate / length
        half = max(band * (2.0 ** (0.5 / spec.bins_per_octave) - 1.0), spacing / 2)
        # the power of FFT bin j is spread evenly over [j - 1/2, j + 1/2]
        low, high = np.clip(np.array([band - half, band + half]) / spacing + 0.5, 0, length // 2 + 1)
        bins = np.arange(math.floor(min(low, length // 2)), math.ceil(high), dtype=np.intp)
        # Parseval's theorem, one-sided spectrum: the main lobe of a full-scale sine sums to 0 dBFS
        gain = 4.0 / (length * float(np.sum(window**2)))
        weight = gain * np.clip(np.minimum(bins + 1, high) - np.maximum(bins, low), 0, 1)
        return self._starts[channel] + bins, weight

    def _make_room(self, frames: int) -> None:
        """Allocate the buffers for `frames` frames. Allocation on every hop would take as long as the transforms."""
        self._windowed = [np.empty((frames, len(window))) for window in self.windows]
        self._squares = np.empty((frames, 2 * self.width))
        self._power = np.empty((frames, self.width))
        self._overlaps = np.empty((frames, len(self.index)))
        self._sums = np.empty((frames, len(self._places)))

    def energy(self, past: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the energy in each frame, band and window: [frames, bands, windows].

        `past` has one row for each frame: the samples up to the end of that frame, as many as the longest window has. A
        sine at full scale has the energy 1.
        """
        if len(past) != len(self._power):
            self._make_room(len(past))
        for window, windowed, place in zip(self.windows, self._windowed, self.places, strict=True):
            np.multiply(past[:, -len(window) :], window, out=windowed)
            np.square(np.fft.rfft(windowed, axis=-1).view(np.float64), out=self._squares[:, place])
        np.add(self._squares[:, 0::2], self._squares[:, 1::2], out=self._power)
        # every index is valid; mode "clip" avoids the extra copy that mode "raise" makes
        overlaps = self._power.take(self.index, axis=-1, out=self._overlaps, mode="clip")
        overlaps *= self.weight
        pairs, sums = self._pairs, self._sums
        np.add(overlaps[:, :pairs], overlaps[:, pairs : 2 * pairs], out=sums[:, :pairs])
        np.add.reduceat(overlaps[:, 2 * pairs :], self.first, axis=-1, out=sums[:, pairs:])
        return sums.take(self._places, axis=-1).reshape(-1, *self.shape)


class Features:
    """Turns a stream of sound into frames: each hop of samples gives one frame.

    A sample that is not finite counts as 0. A sample beyond full scale counts as full scale. So a bad sample cannot
    spoil later frames.
    """

    def __init__(self, spec: FeatureSpec, tuning: float = 0.0) -> None:
        """Make all bands. `tuning` is the number of cents by which the piano is tuned above A4 = 440 Hz."""
        self.spec = spec
        self._bands = _all_bands(spec, tuning)
        self._coming: _Bands | None = None
        self._longest = max(spec.window_lengths)
        self._past = Newest(self._longest, spec.hop, np.float64)
        self._floor = np.array(10 ** (spec.floor_db / 10))
        self._depth = -np.log(self._floor[None]).astype(np.float32)
        """Natural logarithm of full scale over the floor. A level falls by 1 from full scale to the floor."""

    def tune(self, tuning: float) -> None:
        """Begin to move the bands to a piano that is tuned `tuning` cents above A4 = 440 Hz. The samples are kept.

        Each call of `tuned` then makes some of the bands.
        """
        self._coming = _Bands(self.spec, tuning)

    def tuned(self) -> bool:
        """Make some of the bands that `tune` asked for. Call it once a hop.

        Return True only in the call that makes the last of them, after which they are used.
        """
        if self._coming is None:
            return False
        self._coming.make(BANDS_A_HOP)
        if not self._coming.ready:
            return False
        self._bands, self._coming = self._coming, None
        return True

    def reset(self) -> None:
        """Forget all samples."""
        self._past.reset()

    def step(self, hop: Samples) -> Frames:
        """Add the next hop and return its frame: float32 levels of the shape [bins, channels].

        `hop` holds `spec.hop` float32 samples from -1 to 1. Level 0 stands for `floor_db` and lower, level 1 for 0
        dBFS. Raises ValueError for a hop of another length.
        """
        if hop.shape != (self.spec.hop,):
            raise ValueError(f"a hop has {self.spec.hop} samples, not {hop.shape}")
        room = self._past.room()
        room[:] = hop
        _limit(room)
        frame: Frames = self._levels(self._past.last(self._longest)[None, :])[0]
        return frame

    def frames(self, samples: Samples) -> Frames:
        """Return the frames of all whole hops in `samples`: levels of the shape [hops, bins, channels].

        They are the frames that `step` returns for the same hops after a reset. The samples kept by `step` stay as they
        are.
        """
        past = np.concatenate([np.zeros(self._longest), clean(samples)])
        count = len(samples) // self.spec.hop
        out = np.empty((count, self.spec.bins, self.spec.channels), np.float32)
        views = np.lib.stride_tricks.sliding_window_view(past, self._longest)[self.spec.hop :: self.spec.hop]
        for i in range(0, count, BATCH_FRAMES):
            out[i : i + BATCH_FRAMES] = self._levels(views[i : min(i + BATCH_FRAMES, count)])
        return out

    def _levels(self, past: NDArray[np.float64]) -> Frames:
        """Return the levels of each frame, [frames, bins, channels]. `past` has the form that `_Bands.energy` needs."""
        energy = self._bands.energy(past)
        # from here on in float32: numpy takes the logarithm of four or more such numbers at once
        levels = np.maximum(energy, self._floor, out=np.empty(energy.shape, np.float32))
        # the natural logarithm takes two thirds of the time of log10
        np.log(levels, out=levels)
        np.divide(levels, self._depth, out=levels)
        np.add(levels, FULL_SCALE, out=levels)
        return np.minimum(levels, FULL_SCALE, out=levels)


def _all_bands(spec: FeatureSpec, cents: float) -> _Bands:
    bands = _Bands(spec, cents)
    bands.make(spec.bins)
    return bands


def finite(values: NDArray[np.floating[Any]]) -> bool:
    """Return whether all values are finite numbers.

    The place of the largest or of the smallest value is that of NaN or infinity if there is one. Finding both costs a
    fraction of `numpy.isfinite` on every value, and after a sleep a fraction of a sum of squares. The cost matters
    because every hop calls this function.
    """
    if not values.size:
        return True
    return math.isfinite(values.item(values.argmax())) and math.isfinite(values.item(values.argmin()))


def clean(samples: Samples) -> NDArray[np.float64]:
    """Return the samples as float64, limited to full scale (-1 to 1). Samples that are not finite become 0."""
    wide = samples.astype(np.float64)
    _limit(wide)
    return wide


def _limit(samples: NDArray[np.float64]) -> None:
    """Limit `samples` to full scale in place. Samples that are not finite become 0."""
    energy = float(np.dot(samples, samples))
    if energy <= 1:
        # no sample can be beyond full scale, which saves two passes in most hops
        return
    if not math.isfinite(energy):
        samples[~np.isfinite(samples)] = 0
    np.maximum(samples, -FULL_SCALE, out=samples)
    np.minimum(samples, FULL_SCALE, out=samples)


def golden_input(spec: FeatureSpec, frames: int = 40) -> Samples:
    """Return fixed samples, `frames` hops long, whose features are a fingerprint in the manifest.

    They are a decaying harmonic tone, a glide and a click, as float32.
    """
    t = np.arange(frames * spec.hop) / spec.sample_rate
    tone = sum(np.sin(2 * np.pi * 220 * h * t) / h for h in range(1, 9)) * np.exp(-3 * t) * 0.2
    glide = 0.05 * np.sin(2 * np.pi * (100 * t + 2000 * t**2))
    samples = np.asarray(tone + glide)
    samples[len(samples) // 2] += 0.5
    return samples.astype(np.float32)
