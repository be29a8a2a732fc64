"""Decides how a file of several channels becomes one: the mean of the channels, or one channel alone.

The mean is right for most recordings. It is wrong if a channel is inverted or later than another, because the mean then
has gaps in its spectrum. It is also wrong if a channel holds only a loud noise, or is clipped. The averaged spectra of
the channels and their cross-spectra show the delays (Welch 1967; Knapp and Carter 1976).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.files.sound.channel_choice import ChannelChoice, Floats, Why, finite
from device.files.sound.channel_parts import PART_SEGMENTS, CancelledParts, longest_present
from device.files.sound.clipping import PeakCount

SEGMENT_S = 0.37
"""Seconds of one transformed segment, about. Delays of up to a fifth of it are found: 25 m of air."""
STRETCH_SEGMENTS = 27
"""Segments of one stretch, about 10 s. Each stretch is judged alone, because a plug may be mended during a recording,
and because two recorders drift apart."""
ENOUGH_SEGMENTS = STRETCH_SEGMENTS // 2
"""Least number of segments in the last stretch. With fewer, it is judged only if it is the only one.

In a few segments, two channels with a reverberation of their own are alike at some delay by chance.
"""
FEW_SEGMENTS, MORE_CANCELS, MORE_SHIFTED = 3, 0.7, 0.75
"""With fewer segments than this in a whole file, a second or less, more of the sound must cancel (see `CANCELS`), and
two channels must be more alike at a delay (see `ALIKE`)."""
LEVELS = 4
"""Number of parts of a segment whose levels are kept for a short file, because a few whole segments look steady."""
LEAST_SHARE = 0.2
"""Share of the sound's energy. A fault in stretches that hold less of it is left alone."""
LOWEST_HZ, HIGHEST_HZ = 60.0, 5_000.0
"""Band in Hz that is compared. It holds the fundamentals and the strongest partials of a piano's right hand."""
WEAK_DB = -7.0
"""Level of the mean of the channels relative to the strongest channel, in dB. A mean below this level counts as weak.

Sound in only one of two channels gives -6 dB, which does not count as weak.
"""
RANGE_DB = 50.0
"""Decibels. Frequencies further below the strongest one are left out, because they hold noise."""
CANCELS = 0.35
"""Share of the frequencies with sound. If the mean is weak at more of them, it is not used."""
INVERTED = 0.8
"""A weak mean is weak because channels cancel, if its power is below this share of that of channels without relation.

Otherwise the mean is weak because most channels are silent.
"""
LEAST_SHIFT_S = 0.0002
"""Seconds. The first gap of a mean with a shorter delay lies above 2.5 kHz, where it does no harm."""
ALIKE, MORE_ALIKE = 0.3, 0.1
"""Two limits for the correlation of two channels, which lies between 0 and 1.

One channel counts as later than the other if their correlation at some delay is at least `ALIKE`, and if it is greater
than their correlation without a delay by at least `MORE_ALIKE`.
"""
COMPARED, REFERENCES = 8, 2
"""Largest number of channels that are compared in pairs. Of more channels, each is compared with the first two only."""
ODD = 0.6
"""The correlation of a sum and a difference of two microphones has two peaks, at a delay and at its negative.

Their signs differ. The smaller peak has at least this share of the greater one.
"""
STEADY = 1.25
"""Ratio of the power of the loud segments to that of the soft ones. A channel below this ratio holds a steady noise.

White noise and hum give a ratio of 1.0 to 1.1, and a piano's notes one of 2 or more, because they decay.
"""
LOUD_NOISE = 0.01
"""Power of a steady noise in one channel relative to the music in another, from which on the mean is not used."""
CLIPPED, CLEANER = 0.0005, 0.1
"""Share of the samples at the very peak from which on a channel is clipped, and the factor by which the share in
another channel must be lower."""
AS_STRONG = 1e-3
"""Least power of the music in the channel that replaces a clipped one, relative to it."""
_LOUD, _SOFT = 90.0, 10.0
"""Percentiles of the segments' power. Their difference is the power of the music without that of a steady noise."""


@dataclass
class _Stretch:
    """Holds sums over the segments of one stretch. A bin is a frequency of the transform."""

    power: Floats
    """[bins, channels] power of each channel."""
    mean: Floats
    """[bins] power of the mean of the channels."""
    cross: dict[tuple[int, int], NDArray[np.complex128]]
    """Cross-spectrum [bins] of each compared pair of channels."""
    segments: int = 0

    @classmethod
    def empty(cls, bins: int, channels: int, pairs: Sequence[tuple[int, int]]) -> _Stretch:
        return cls(np.zeros((bins, channels)), np.zeros(bins), {pair: np.zeros(bins, np.complex128) for pair in pairs})


class ChannelComparison:
    """Compares the channels of a file block by block, to find channels whose mean would lose or spoil the music."""

    def __init__(self, rate: int, channels: int) -> None:
        """Prepare to compare `channels` channels with `rate` samples a second."""
        self._rate, self._channels = rate, channels
        self._size = 1 << round(np.log2(SEGMENT_S * rate))
        hz = np.fft.rfftfreq(self._size, 1 / rate)
        self._band = (hz >= LOWEST_HZ) & (hz <= HIGHEST_HZ)
        self._window = np.hanning(self._size).astype(np.float32)[:, None]
        self._rest = np.zeros((0, channels), np.float32)
        self._pairs = list(itertools.combinations(range(channels), 2))
        if channels > COMPARED:
            self._pairs = [(one, other) for one in range(REFERENCES) for other in range(one + 1, channels)]
        self._stretches: list[_Judged] = []
        self._open = self._empty()
        self._part = _Stretch.empty(self._size // 2 + 1, channels, ())
        self._cancelled = CancelledParts()
        self._levels: list[NDArray[Any]] = []
        self._peaks = PeakCount(channels)

    def add(self, block: NDArray[np.float32]) -> None:
        """Add the samples `block` of shape [n, channels] to the comparison. Samples that are not finite count as 0."""
        block = finite(block)
        self._peaks.add(block)
        self._rest = np.concatenate([self._rest, block])
        while len(self._rest) >= self._size:
            self._segment(self._rest[: self._size])
            self._rest = self._rest[self._size :]

    def choice(self) -> ChannelChoice:
        """Return how the channels of all added samples become one: their mean, or one channel alone."""
        if len(self._rest) and not self._levels:
            self._segment(np.concatenate([self._rest, np.zeros((self._size - len(self._rest), self._channels))]))
        if self._open.segments >= (ENOUGH_SEGMENTS if self._stretches else 1):
            self._judge()
        total = sum(judged.energy for judged in self._stretches)
        if not total:
            return ChannelChoice()
        if spoilt := self._noisy() or self._clipped():
            return spoilt
        if sum(judged.energy for judged in self._stretches if judged.is_sum) > LEAST_SHARE * total:
            return ChannelChoice(why="sum")
        shifted = [judged for judged in self._stretches if judged.shift_s]
        if sum(judged.energy for judged in shifted) > LEAST_SHARE * total:
            return ChannelChoice(self._better(), "shifted", max(shifted, key=lambda judged: judged.energy).shift_s)
        for why in ("cancel", "weak"):
            if sum(judged.energy for judged in self._stretches if judged.weak == why) > LEAST_SHARE * total:
                return ChannelChoice(self._better(), why)
        return ChannelChoice(self._better(), "cancel") if self._cancelled.any() else ChannelChoice()

    def _empty(self) -> _Stretch:
        return _Stretch.empty(self._size // 2 + 1, self._channels, self._pairs)

    def _segment(self, samples: NDArray[np.floating[Any]]) -> None:
        """Add a segment of sound, [samples, channels], to the sums of its stretch and of its part."""
        samples = samples - samples.mean(axis=0, dtype=np.float64)
        spectra = np.fft.rfft(samples * self._window, axis=0)
        power, mean = np.abs(spectra) ** 2, np.abs(spectra.mean(axis=1)) ** 2
        stretch = self._open
        for sums in (stretch, self._part):
            sums.power += power
            sums.mean += mean
            sums.segments += 1
        for (one, other), cross in stretch.cross.items():
            cross += spectra[:, one] * np.conj(spectra[:, other])
        parts = samples.reshape(LEVELS, -1, self._channels)
        self._levels.append(np.mean(np.square(parts, dtype=np.float64), axis=1))
        if self._part.segments == PART_SEGMENTS:
            cancels = self._weak(self._part, MORE_CANCELS) == "cancel"
            self._cancelled.add(float(self._part.power.sum()), cancels)
            self._part = _Stretch.empty(self._size // 2 + 1, self._channels, ())
        if stretch.segments == STRETCH_SEGMENTS:
            self._judge()

    def _judge(self) -> None:
        """Judge the open stretch and begin the next one."""
        stretch, self._open = self._open, self._empty()
        is_few = stretch.segments < FEW_SEGMENTS
        alike = {pair: self._correlation(stretch, pair) for pair in self._pairs}
        self._stretches.append(
            _Judged(
                energy=float(stretch.power.sum()),
                weak=self._weak(stretch, MORE_CANCELS if is_few else CANCELS),
                shift_s=max((self._shift_s(correlation, is_few) for correlation in alike.values()), default=0.0),
                is_sum=self._channels == 2 and self._is_sum(alike[0, 1]),
                alike={pair: abs(float(correlation[0])) for pair, correlation in alike.items()},
            )
        )

    def _weak(self, stretch: _Stretch, enough: float) -> Why | None:
        """Return why the mean of the channels is weak at more than `enough` of the frequencies with sound.

        Return None if it is not. `enough` is a share from 0 to 1.
        """
        hz = np.fft.rfftfreq(self._size, 1 / self._rate)
        strongest, sound = stretch.power.max(axis=1), self._band.copy()
        sound &= strongest > strongest[sound].max(initial=0.0) * 10 ** (-RANGE_DB / 10)
        if not sound.any():
            return None
        weak = stretch.mean[sound] < strongest[sound] * 10 ** (WEAK_DB / 10)
        # a bin counts by its width in octaves, so that high frequencies do not decide alone
        octaves = 1 / hz[sound]
        if np.sum(weak * octaves) <= enough * np.sum(octaves):
            return None
        unrelated = stretch.power[sound][weak].sum() / self._channels**2
        return "cancel" if stretch.mean[sound][weak].sum() < INVERTED * unrelated else "weak"

    def _correlation(self, stretch: _Stretch, pair: tuple[int, int]) -> Floats:
        """Return the correlation of two channels at every delay in samples, negative delays at the end.

        Each frequency counts by its amplitude, not its power. Then a few long tones, which are alike at many delays, do
        not decide alone.
        """
        both = np.sqrt(stretch.power[:, pair[0]] * stretch.power[:, pair[1]])[self._band]
        scale = np.sqrt(both).sum()
        if scale <= 0:
            return np.zeros(self._size)
        weighted = np.zeros(self._size // 2 + 1, np.complex128)
        weighted[self._band] = stretch.cross[pair][self._band] / np.sqrt(np.maximum(both, np.finfo(np.float64).tiny))
        return np.asarray(np.fft.irfft(weighted) * self._size / 2 / scale, np.float64)

    def _is_sum(self, correlation: Floats) -> bool:
        """Return whether one of two channels is the sum of two microphones and the other their difference: see `ODD`.

        The microphones are apart. Otherwise the two channels are alike at no delay.
        """
        lag = int(np.argmax(np.abs(correlation)))
        peak, opposite = correlation[lag], -correlation[-lag]
        return bool(self._shift_s(correlation) and opposite * np.sign(peak) >= ODD * abs(peak))

    def _shift_s(self, correlation: Floats, is_few: bool = False) -> float:
        """Return the delay between two channels in seconds; 0 if none of them is late.

        A delay counts only if it is at least `LEAST_SHIFT_S` and if the channels are alike at this delay: see `ALIKE`.
        `is_few` says that there are few segments, see `FEW_SEGMENTS`.
        """
        lag = int(np.argmax(np.abs(correlation)))
        peak, middle = abs(correlation[lag]), abs(correlation[0])
        shift_s = (min(lag, self._size - lag)) / self._rate
        late = shift_s >= LEAST_SHIFT_S and peak >= (MORE_SHIFTED if is_few else ALIKE) and peak >= middle + MORE_ALIKE
        return shift_s if late else 0.0

    def _noisy(self) -> ChannelChoice | None:
        """Return the choice if a channel holds only a steady and loud noise, and another one music; else None."""
        loud, soft = self._loud_and_soft()
        steady = (loud <= STEADY * soft) & (loud > 0)
        music = np.where(steady, 0.0, loud - soft)
        if not steady.any() or not music.any():
            return None
        worse = int(np.argmax(np.where(steady, loud, 0.0)))
        player = int(np.argmax(music))
        noisy = loud[worse] > LOUD_NOISE * music[player] and self._alike(worse, player) < ALIKE
        return ChannelChoice(player, "noise", worse=worse) if noisy else None

    def _clipped(self) -> ChannelChoice | None:
        """Return the choice if a channel is clipped and another one holds the same music unclipped; else None."""
        share = self._peaks.share()
        worse = int(np.argmax(share))
        if share[worse] < CLIPPED:
            return None
        loud, soft = self._loud_and_soft()
        strength, present = loud - soft, longest_present(self._segment_levels())
        clean = [
            channel
            for channel in range(self._channels)
            if present[channel]
            and share[channel] < CLEANER * share[worse]
            and strength[channel] > AS_STRONG * strength[worse]
            and self._alike(channel, worse) >= ALIKE
        ]
        if not clean:
            return None
        return ChannelChoice(max(clean, key=lambda channel: float(strength[channel])), "clipped", worse=worse)

    def _alike(self, one: int, other: int) -> float:
        """Return the correlation of two channels without a delay, in the stretch with the most energy."""
        loudest = max(self._stretches, key=lambda judged: judged.energy)
        pair = min(one, other), max(one, other)
        if one == other or pair in loudest.alike:
            return loudest.alike.get(pair, 1.0)
        # both are compared with the first channels
        return max(loudest.alike[first, pair[0]] * loudest.alike[first, pair[1]] for first in range(REFERENCES))

    def _better(self) -> int:
        """Return the channel, from 0, with the most sound above its own steady noise.

        A channel that is silent for a while counts only if no other holds the music longer.
        """
        loud, soft = self._loud_and_soft()
        return int(np.argmax(np.where(longest_present(self._segment_levels()), loud - soft, -1.0)))

    def _loud_and_soft(self) -> tuple[Floats, Floats]:
        """Return the power of the loud and of the soft segments of each channel, [channels]."""
        loud, soft = np.percentile(self._segment_levels(), (_LOUD, _SOFT), axis=0)
        return loud, soft

    def _segment_levels(self) -> Floats:
        """Return the power of each segment, or of each of the LEVELS parts of it in a short file, [n, channels]."""
        levels = np.stack(self._levels)
        if len(levels) >= ENOUGH_SEGMENTS:
            levels = levels.mean(axis=1)
        return np.asarray(levels.reshape(-1, self._channels), np.float64)


@dataclass(frozen=True)
class _Judged:
    """Holds what was found in a stretch: its energy, why its mean is weak, a delay, the correlation of each pair.

    `is_sum` says that one of two channels is a sum and the other a difference.
    """

    energy: float
    weak: Why | None
    shift_s: float
    is_sum: bool
    alike: dict[tuple[int, int], float]
