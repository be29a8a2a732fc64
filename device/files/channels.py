"""Decides how a file of several channels becomes one: the mean of the channels, or one channel alone.

The mean is right for most recordings. It is wrong in two cases. If a channel is inverted, the channels cancel. If the
microphones are far apart, one channel is later than the other, and the mean has gaps in its spectrum (a comb filter).
The averaged spectra of the channels and their cross-spectra show both (Welch 1967; Knapp and Carter 1976).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Why: TypeAlias = Literal["asked", "cancel", "shifted"]

SEGMENT_S = 0.37
"""Seconds of one transformed segment, about. Delays of up to a fifth of it are found: 25 m of air."""
LOWEST_HZ, HIGHEST_HZ = 60.0, 5_000.0
"""Band in Hz that is compared. It holds the fundamentals and the strongest partials of a piano's right hand."""
WEAK_DB = -7.0
"""Level of the mean of the channels relative to the strongest channel, in dB. A mean below this level counts as weak.

Sound in only one of two channels gives -6 dB, which does not count as weak.
"""
RANGE_DB = 50.0
"""Decibels. Frequencies further below the strongest one are left out, because they hold noise."""
CANCELS = 0.35
"""Share of the frequencies with sound. If the mean is weak at more of them, the channels cancel."""
LEAST_SHIFT_S = 0.0002
"""Seconds. The first gap of a mean with a shorter delay lies above 2.5 kHz, where it does no harm."""
ALIKE, MORE_ALIKE = 0.3, 0.1
"""Two limits for the correlation of two channels, which lies between 0 and 1.

One channel counts as later than the other if their correlation at some delay is at least `ALIKE`, and if it is greater
than their correlation without a delay by at least `MORE_ALIKE`.
"""
COMPARED = 8
"""Largest number of channels that are compared in pairs. More channels are compared with the mean only."""
_LOUD, _SOFT = 90.0, 10.0
"""Percentiles of the segments' power. Their difference is the power of the music without that of a steady noise."""


@dataclass(frozen=True)
class ChannelChoice:
    """Describes how the channels of a file are made into one.

    `channel` is the number of the channel that is used alone, counted from 0, and `why` is the reason. Both are None if
    the mean of all channels is used. `shift_s` is the delay between the channels in seconds, if it is the reason.
    """

    channel: int | None = None
    why: Why | None = None
    shift_s: float = 0.0

    def mono(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return one channel made from `block`, which has the shape [samples, channels]."""
        if self.channel is not None:
            return block[:, self.channel]
        return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)

    def sentence(self, name: str) -> str | None:
        """Return a warning about the file `name`; None if there is nothing to report."""
        if self.channel is None or self.why in (None, "asked"):
            return None
        instead = f"channel {self.channel + 1} alone is heard (--channel N chooses another)"
        if self.why == "cancel":
            return f"The channels of {name} cancel each other out, as if one were inverted: {instead}."
        return f"The channels of {name} are {self.shift_s * 1e3:.1f} ms apart in time: {instead}."


class ChannelComparison:
    """Compares the channels of a file block by block, to find channels that cancel or are shifted in time."""

    def __init__(self, rate: int, channels: int) -> None:
        """Prepare to compare `channels` channels with `rate` samples a second."""
        self._rate, self._channels = rate, channels
        self._size = 1 << round(np.log2(SEGMENT_S * rate))
        self._window = np.hanning(self._size).astype(np.float32)[:, None]
        self._rest = np.zeros((0, channels), np.float32)
        bins = self._size // 2 + 1
        self._power = np.zeros((bins, channels))
        self._mean = np.zeros(bins)
        self._pairs = list(itertools.combinations(range(channels), 2)) if channels <= COMPARED else []
        self._cross = {pair: np.zeros(bins, np.complex128) for pair in self._pairs}
        self._levels: list[NDArray[Any]] = []

    def add(self, block: NDArray[np.float32]) -> None:
        """Add the samples `block` of shape [n, channels] to the comparison. Samples that are not finite count as 0."""
        self._rest = np.concatenate([self._rest, np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)])
        while len(self._rest) >= self._size:
            self._segment(self._rest[: self._size])
            self._rest = self._rest[self._size :]

    def choice(self) -> ChannelChoice:
        """Return how the channels of all added samples become one.

        This is their mean, or one channel alone if the channels cancel or are shifted in time.
        """
        if len(self._rest) and not self._levels:
            self._segment(np.concatenate([self._rest, np.zeros((self._size - len(self._rest), self._channels))]))
        if not self._levels or not self._power.any():
            return ChannelChoice()
        if self._cancel():
            return ChannelChoice(self._better(), "cancel")
        shift_s = self._shift_s()
        return ChannelChoice(self._better(), "shifted", shift_s) if shift_s else ChannelChoice()

    def _segment(self, samples: NDArray[np.floating[Any]]) -> None:
        spectra = np.fft.rfft(samples * self._window, axis=0)
        self._power += np.abs(spectra) ** 2
        self._mean += np.abs(spectra.mean(axis=1)) ** 2
        for (one, other), cross in self._cross.items():
            cross += spectra[:, one] * np.conj(spectra[:, other])
        self._levels.append(np.mean(np.square(samples, dtype=np.float64), axis=0))

    def _cancel(self) -> bool:
        """Return whether the channels cancel each other: their mean is weak at many of the frequencies with sound."""
        hz = np.fft.rfftfreq(self._size, 1 / self._rate)
        strongest = self._power.max(axis=1)
        sound = (hz >= LOWEST_HZ) & (hz <= HIGHEST_HZ)
        sound &= strongest > strongest[sound].max(initial=0.0) * 10 ** (-RANGE_DB / 10)
        if not sound.any():
            return False
        weak = self._mean[sound] < strongest[sound] * 10 ** (WEAK_DB / 10)
        # a bin counts by its width in octaves, so that high frequencies do not decide alone
        octaves = 1 / hz[sound]
        return bool(np.sum(weak * octaves) > CANCELS * np.sum(octaves))

    def _shift_s(self) -> float:
        """Return the longest delay between any two channels, in seconds; 0 if no channel is late.

        A delay counts only if it is at least `LEAST_SHIFT_S` and if the channels are alike at this delay: see `ALIKE`.
        With more than `COMPARED` channels the result is 0.
        """
        worst = 0.0
        for (one, other), cross in self._cross.items():
            scale = np.sqrt(np.sum(self._power[:, one]) * np.sum(self._power[:, other]))
            if scale <= 0:
                continue
            correlation = np.fft.irfft(cross) * self._size / 2 / scale
            lag = int(np.argmax(np.abs(correlation)))
            lag -= self._size if lag > self._size // 2 else 0
            shift_s = abs(lag) / self._rate
            peak, middle = abs(correlation[lag]), max(correlation[0], 0.0)
            if shift_s >= max(worst, LEAST_SHIFT_S) and peak >= ALIKE and peak >= middle + MORE_ALIKE:
                worst = shift_s
        return worst

    def _better(self) -> int:
        """Return the channel, from 0, with the most sound above its own steady noise."""
        levels = np.stack(self._levels)
        return int(np.argmax(np.percentile(levels, _LOUD, axis=0) - np.percentile(levels, _SOFT, axis=0)))
