"""Keeps the last sound and measures the level of one tone in it, one level every 5 ms."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from device.hearing.features import Samples
from device.hearing.newest import Newest
from device.hearing.tone_levels import amplitudes, hz_of

WINDOWS_S, STRIDE_S = (0.02, 0.04), 0.005
"""Lengths of the two windows in which the level of a tone is measured, and the time between two levels, in seconds.

The long window separates neighbouring keys. Short notes fall by so much in it that it cannot show all ends of beeps.
"""
_HIGHEST = 0.47
"""Highest frequency of a tone that is measured, as a share of the sample rate."""
_SILENCE = 1e-9
"""Added to a power before its logarithm is taken: -90 dBFS."""


class KeptTones:
    """Keeps the last `frames` hops of sound, each of `hop` samples at `rate` Hz, and measures tones in them."""

    def __init__(self, rate: int, hop: int, frames: int) -> None:
        self.rate, self.hop = rate, hop
        self.stride = round(STRIDE_S * rate)
        """Number of samples between two levels."""
        tapers = [np.hanning(round(seconds * rate) + 2)[1:-1] for seconds in WINDOWS_S]
        self._tapers = [2 * taper / np.sum(taper) for taper in tapers]
        self._longest = frames * hop
        self._past = Newest(self._longest, hop, np.float32)
        self._tracks: dict[tuple[int, int, int, int, float], NDArray[np.float64]] = {}
        """Results of `track` in this frame, by its arguments. Several checks of a note ask for the same one."""

    def reset(self) -> None:
        """Forget all sound."""
        self._past.reset()
        self._tracks.clear()

    def step(self, hop: Samples) -> None:
        """Add the samples of a hop, [hop], from -1 to 1."""
        self._past.room()[:] = hop
        self._tracks.clear()

    def track(self, key: int, age: int, partial: int = 1, window: int = 0, cents: float = 0.0) -> NDArray[np.float64]:
        """Return the levels in dBFS of a partial of `key` in the last `age` frames, one every 5 ms.

        `key` counts from 0 for A0. The tone is tuned `cents` above the key. `window` is the index of the window in
        WINDOWS_S. A partial near or above half the sample rate gives one level of minus infinity.
        """
        asked = key, age, partial, window, cents
        track = self._tracks.get(asked)
        if track is None:
            track = self._tracks[asked] = self._measured(*asked)
        return track

    def _measured(self, key: int, age: int, partial: int, window: int, cents: float) -> NDArray[np.float64]:
        """Measure and return what `track` returns."""
        hz = partial * hz_of(key + cents / 100)
        if hz > _HIGHEST * self.rate:
            return np.full(1, -math.inf)
        tone = self.tone(hz, age, window)
        return np.asarray(10 * np.log10(np.square(tone.real) + np.square(tone.imag) + _SILENCE), np.float64)

    def tone(self, hz: float, age: int, window: int = 0) -> NDArray[np.complex128]:
        """Return the complex amplitudes of a tone of `hz` Hz in the last `age` frames, one every 5 ms.

        `window` is the index of the window in WINDOWS_S.
        """
        taper = self._tapers[window]
        past = self._past.last(min(self._longest, age * self.hop + len(taper)))
        return amplitudes(past, hz / self.rate, taper, self.stride)
