"""Keeps the last sound and measures the level of one tone in it, one level every 5 ms."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from device.hearing.features import Samples
from device.hearing.newest import Newest
from device.hearing.tone_levels import hz_of, sums_of_windows

WINDOWS_S, STRIDE_S = (0.02, 0.04), 0.005
"""Lengths of the two windows in which the level of a tone is measured, and the time between two levels, in seconds.

The long window separates neighbouring keys. Short notes fall by so much in it that it cannot show all ends of beeps.
"""
_HIGHEST = 0.47
"""Highest frequency of a tone that is measured, as a share of the sample rate."""
_PIECES = 64
"""Number of pieces of tones that are kept: 5 or 10 kB each. A piece is multiplied by every window of the sound."""
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
        self._piece = lru_cache(_PIECES)(self._made_piece)
        self._longest = frames * hop
        self._past = Newest(self._longest, hop, np.float64)
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
        cosines, sines = self._sums(hz, age, window)
        return np.asarray(10 * np.log10(cosines * cosines + sines * sines + _SILENCE), np.float64)

    def tone(self, hz: float, age: int, window: int = 0) -> NDArray[np.complex128]:
        """Return the complex amplitudes of a tone of `hz` Hz in the last `age` frames, one every 5 ms.

        `window` is the index of the window in WINDOWS_S. The phase of a tone of exactly `hz` Hz stays the same.
        """
        cosines, sines = self._sums(hz, age, window)
        turn = np.exp(-2j * np.pi * hz / self.rate * self.stride * np.arange(len(cosines)))
        return np.asarray((cosines + 1j * sines) * turn, np.complex128)

    def _sums(self, hz: float, age: int, window: int) -> NDArray[np.float64]:
        """Return the sums [2, n] of the last windows of sound, one every 5 ms, weighted by `_made_piece`."""
        piece = self._piece(hz, window)
        past = self._past.last(min(self._longest, age * self.hop + piece.shape[1]))
        return sums_of_windows(past, piece, self.stride)

    def _made_piece(self, hz: float, window: int) -> NDArray[np.float64]:
        """Return one window of a tone of `hz` Hz, weighted by the taper: its cosines, and its sines below 0."""
        taper = self._tapers[window]
        turns = 2 * np.pi * hz / self.rate * np.arange(len(taper))
        return np.array((taper * np.cos(turns), -taper * np.sin(turns)))
