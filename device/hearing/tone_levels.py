"""Judges the levels of one tone, one every 5 ms: whether it keeps its level, falls at once, or decays as a string does.

It also has what is needed to measure such levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.events import LOWEST_KEY

_FALLING_DB = 8.0
"""A note that has fallen by so many dB below its peak may be a beep that ends now."""
FLAT_DB, FLAT_STRIDES = 1.5, 6
"""A tone keeps its level if it stays within so many dB of its highest level, and for at least so many strides."""
_STEADY_DB = 0.6
"""A pure tone that stays within so many dB of its highest level waits longest. Strings decay by so much in 0.1 s."""
_STEEP_DB, STEEP_STRIDES = 3.0, 4
"""A tone that falls by more than this within so many strides (20 ms) may be at the end of a beep. No string decays so.
"""
_SLOW_DB, _QUICK_FROM = 1.2, 84 - LOWEST_KEY
"""Below the key _QUICK_FROM, C6, a string falls by less than _SLOW_DB within STEEP_STRIDES: 60 dB a second.

The longer beep of a program, which fades by half, falls by 1.7 dB. Higher strings decay as quickly as it does.
"""


def plateau(track: NDArray[np.float64], within_db: float = FLAT_DB) -> tuple[int, int]:
    """Return the first index at which the levels `track` are within `within_db` of the highest, and the index after."""
    near = track >= track.max() - within_db
    begin = int(near.argmax())
    after = np.flatnonzero(~near[begin:])
    return begin, begin + int(after[0]) if len(after) else len(track)


def is_steady(track: NDArray[np.float64]) -> bool:
    """Return whether a tone with the levels `track` has kept its level until now."""
    return plateau(track, _STEADY_DB)[1] == len(track)


def falls(track: NDArray[np.float64]) -> bool:
    """Return whether a tone with the levels `track` has fallen by so much that it may be a beep that ends now."""
    return bool(track.max() - track[-1] >= _FALLING_DB)


def drops(track: NDArray[np.float64]) -> bool:
    """Return whether a tone with the levels `track` falls faster now than a string does, so a beep may end now."""
    return len(track) > STEEP_STRIDES and bool(track[-1 - STEEP_STRIDES] - track[-1] >= _STEEP_DB)


def decays(track: NDArray[np.float64], key: int) -> bool:
    """Return whether a tone with the levels `track` has begun to decay slowly, as the string of `key` does."""
    if len(track) <= STEEP_STRIDES:
        return False
    earlier, latest, highest = track[-1 - STEEP_STRIDES], track[-1], track.max()
    has_begun = track.argmax() < len(track) - 1 - STEEP_STRIDES and earlier < highest - FLAT_DB
    slow_db = _SLOW_DB if key < _QUICK_FROM else _STEEP_DB
    return bool(has_begun and earlier - latest < slow_db and not falls(track))


def hz_of(key: float) -> float:
    """Return the frequency in Hz of a key, which counts from 0 for A0."""
    return float(440 * 2 ** ((key + LOWEST_KEY - 69) / 12))


def mean_turns(tone: NDArray[np.complex128]) -> float:
    """Return by how many turns the phase of `tone` grows from one amplitude to the next, on average."""
    return float(np.angle(np.sum(tone[1:] * np.conj(tone[:-1]))) / (2 * np.pi)) if len(tone) > 1 else 0.0


def sums_of_windows(past: NDArray[np.float64], weights: NDArray[np.float64], stride: int) -> NDArray[np.float64]:
    """Return the weighted sums of windows of the samples `past`, [rows, windows], one window every `stride` samples.

    `weights` [rows, length] has the weights of each sum. The last window ends at the newest sample.
    """
    count, first = divmod(len(past) - weights.shape[1], stride)
    # a view of every window: numpy's own function for it takes as long as the sums
    step = past.itemsize
    shape = count + 1, weights.shape[1]
    windows: NDArray[np.float64] = np.ndarray(shape, past.dtype, past, first * step, (stride * step, step))
    sums: NDArray[np.float64] = np.einsum("nt,rt->rn", windows, weights)
    return sums
