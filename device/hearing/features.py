"""Turns samples into log-frequency frames. The device and the training use this one implementation.

A frame has the level of the sound in each band of frequencies. On every hop, several asymmetric windows that end at the
newest sample are transformed. Each window rises slowly and falls fast, so the newest samples have the most weight. The
energy is summed in log-frequency bands, three per semitone, in dBFS.
"""

from __future__ import annotations

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

    The power of an FFT bin is spread evenly over its width. So the energy below a frequency is the sum over all bins
    below it, and a share of the bin that holds it. The energy of a band is the energy below its upper edge less the
    energy below its lower edge. The spectra of all windows lie one after the other in one row, so one running sum
    serves all bands.

    The running sum has float64 numbers. Its rounding errors are far below the floor of the levels.
    """

    def __init__(self, spec: FeatureSpec, cents: float = 0.0) -> None:
        """Prepare the windows. All bands are moved up by `cents`. They can be used when `ready` is true."""
        self._spec = spec
        self._windows = [asymmetric_window(n, f) for n, f in zip(spec.window_lengths, spec.window_falls, strict=True)]
        sizes = np.array([n // 2 + 1 for n in spec.window_lengths])
        # the spectrum of the last window is the first in the row: it is the shortest, so it has the lowest power, and
        # the running sum is exact where it is low
        self._first = np.cumsum(sizes[::-1])[::-1] - sizes
        self._width = int(np.sum(sizes))
        # each FFT bin has a real and an imaginary part
        self._places = [slice(2 * first, 2 * (first + size)) for first, size in zip(self._first, sizes, strict=True)]
        self._lengths = np.array(spec.window_lengths)
        # Parseval's theorem, one-sided spectrum: the main lobe of a full-scale sine sums to 0 dBFS
        self._gain = 4.0 / (self._lengths * [np.sum(window**2) for window in self._windows])
        # bin 3p + 1 is centred on key p; its two neighbours are a third of a semitone away
        self._centre = spec.lowest_hz * 2.0 ** ((np.arange(spec.bins) - 1) / spec.bins_per_octave)
        if cents:
            self._centre *= 2.0 ** (cents / CENTS_PER_OCTAVE)
        self._made = 0
        self._index = np.empty((4, spec.bins, spec.channels), np.intp)
        """Places in the running sum: where the FFT bins of a band's two edges end, and where they begin."""
        self._weight = np.empty(self._index.shape)

    @property
    def ready(self) -> bool:
        """Whether all bands are made."""
        return self._made == self._spec.bins

    def make(self, count: int) -> None:
        """Make the next `count` bands of every window. To make all of them takes as long as several hops."""
        coming = slice(self._made, min(self._made + count, self._spec.bins))
        self._made = coming.stop
        spacing = self._spec.sample_rate / self._lengths
        band = self._centre[coming, None]
        half = np.maximum(band * (2.0 ** (0.5 / self._spec.bins_per_octave) - 1.0), spacing / 2)
        # FFT bin j lies from j - 1/2 to j + 1/2
        edges = np.clip(np.stack([band + half, band - half]) / spacing + 0.5, 0, self._lengths // 2 + 1)
        holds = np.minimum(np.floor(edges), self._lengths // 2).astype(np.intp)
        share = edges - holds
        upper_less_lower = np.array([1.0, -1.0])[:, None, None] * self._gain
        begins = self._first + holds
        self._index[:, coming] = np.concatenate([begins + 1, begins])
        self._weight[:, coming] = np.concatenate([upper_less_lower * share, upper_less_lower * (1 - share)])
        if self.ready:
            self._make_room(1)

    def _make_room(self, frames: int) -> None:
        """Allocate the buffers for `frames` frames. Allocation on every hop would take as long as the transforms."""
        self._windowed = [np.empty((frames, len(window))) for window in self._windows]
        self._squares = np.empty((frames, 2 * self._width))
        self._power = np.empty((frames, self._width))
        self._sum = np.zeros((frames, 1 + self._width))
        self._ends = np.empty((frames, *self._index.shape))

    @property
    def power(self) -> NDArray[np.float64]:
        """Power in each FFT bin of the first window in the last frame that was computed: [samples // 2 + 1]."""
        first = int(self._first[0])
        return self._power[-1, first : first + self._spec.window_lengths[0] // 2 + 1]

    def energy(self, past: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the energy in each frame, band and window: [frames, bands, windows].

        `past` has one row for each frame: the samples up to the end of that frame, as many as the longest window has. A
        sine at full scale has the energy 1. Where there is none, it may be a little below 0.
        """
        if len(past) != len(self._sum):
            self._make_room(len(past))
        for window, windowed, place in zip(self._windows, self._windowed, self._places, strict=True):
            np.multiply(past[:, -len(window) :], window, out=windowed)
            np.square(np.fft.rfft(windowed, axis=-1).view(np.float64), out=self._squares[:, place])
        np.add(self._squares[:, 0::2], self._squares[:, 1::2], out=self._power)
        np.add.accumulate(self._power, axis=-1, out=self._sum[:, 1:])
        # every index is valid; mode "clip" avoids the extra copy that mode "raise" makes
        ends = self._sum.take(self._index, axis=-1, out=self._ends, mode="clip")
        ends *= self._weight
        energy: NDArray[np.float64] = np.add.reduce(ends, axis=1)
        return energy


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
        self._floor = np.array([10 ** (spec.floor_db / 10)], np.float32)
        self._depth = -np.log(self._floor)
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

    @property
    def power(self) -> NDArray[np.float64]:
        """Power in each FFT bin of the longest window after the last `step`: the squares of absolute values.

        The shape is [samples of the window // 2 + 1]. The next call of `step` overwrites it.
        """
        return self._bands.power

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
        levels = energy.astype(np.float32)
        np.maximum(levels, self._floor, out=levels)
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
