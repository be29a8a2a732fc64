"""Makes what the net sees of all onsets of a take, as the box does onset by onset (`device.following.beat_net`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.following.beat_net import (
    AGO,
    FARTHEST,
    FREE_S,
    HEIGHT_RATE,
    HIGHEST,
    KEYS,
    MOST_UNITS,
    SECONDS,
    SHORTEST_S,
    STATIC,
    TAPS,
    WINDOW,
    meter_flags,
)
from training.beat_net.playing import Take
from training.scored_hands import Floats

Inputs = npt.NDArray[np.float32]

LOG_GAP, GAP_UNITS, TAP = STATIC, STATIC + 1, STATIC + 2
"""Indexes of the gap's binary logarithm, of the gap (both in units), and of 1 for a tap."""
WIDTH = STATIC + 3


@dataclass(frozen=True)
class Heard:
    """Onsets [n] as the box hears them: times in seconds, pitch of the first key, top pitch, keys, 1 for a tap."""

    meter: Meter
    time_s: Floats
    first: Floats
    top: Floats
    keys: Floats
    is_tap: Floats
    counted: bool

    @property
    def unit_s(self) -> float:
        """Return the unit of time in seconds: the counted beat, or FREE_S."""
        return float(np.diff(self.time_s[:TAPS]).mean()) if self.counted else FREE_S


def heard(take: Take) -> Heard:
    """Return what can be heard of a take."""
    return Heard(take.meter, take.time_s, take.first, take.top, take.keys, take.is_tap, take.counted)


def shares(value: Floats, bins: tuple[float, int, int]) -> Floats:
    """Return the shares [..., bins] of `value` [...] in its two nearest bins. Each row sums to 1."""
    lowest, per, number = bins
    at = np.clip((value - lowest) * per, 0, number - 1)
    return np.maximum(0.0, 1 - np.abs(at[..., None] - np.arange(number)))


def inputs_of(music: Heard) -> Inputs:
    """Return the inputs [n, WIDTH] of all onsets."""
    number, unit_s = len(music.time_s), music.unit_s
    unit = float(np.log2(unit_s))
    gap = np.log2(np.maximum(np.diff(music.time_s, prepend=music.time_s[0]), SHORTEST_S)) - unit
    known = np.arange(number) > 0
    parts = [shares(gap + unit, SECONDS) * known[:, None]]
    interval = music.first - np.append(music.first[0], music.top[:-1])
    interval[music.is_tap > 0] = 0
    interval[: int(music.is_tap.sum()) + 1] = 0
    interval = np.clip(np.rint(interval), -FARTHEST, FARTHEST).astype(np.int64)
    parts.append(np.eye(2 * FARTHEST + 1)[interval + FARTHEST])
    keys_before = np.append(1.0, music.keys[:-1])
    parts.append(np.eye(KEYS)[np.clip(keys_before, 1, KEYS).astype(np.int64) - 1])
    parts.append(np.tile(meter_flags(music.meter), (number, 1)))
    parts.append(np.tile([float(music.counted), unit - np.log2(FREE_S)], (number, 1)))
    parts += [music.is_tap[:, None], _heights(music)[:, None], 1.0 - known[:, None]]
    for ago in AGO:
        since = np.zeros(number)
        since[ago:] = music.time_s[ago:] - music.time_s[:-ago]
        log = np.log2(np.maximum(since, SHORTEST_S)) - unit
        parts.append(shares(log, WINDOW) * (np.arange(number) >= ago)[:, None])
    units = np.minimum(2.0**gap, MOST_UNITS) * known
    parts += [gap[:, None], units[:, None], music.is_tap[:, None]]
    return np.concatenate(parts, 1).astype(np.float32)


def _heights(music: Heard) -> Floats:
    """Return how far each first key is above the running mean of the top pitches, in octaves. It is 0 for taps."""
    out = np.zeros(len(music.first))
    mean: float | None = None
    for i, (first, top, tap) in enumerate(zip(music.first, music.top, music.is_tap, strict=True)):
        if not tap:
            mean = float(first) if mean is None else mean
            out[i] = np.clip((first - mean) / 12, -HIGHEST, HIGHEST)
            mean += HEIGHT_RATE * (float(top) - mean)
    return out
