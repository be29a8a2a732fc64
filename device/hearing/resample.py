"""Samples of any rate, in blocks of any size, to hops at the model's rate.

A polyphase filter: each sample at the model's rate is one windowed sinc's product with the source around it (Crochiere
and Rabiner 1983, 2.3), and a hop is out as soon as the source has brought the samples that its last one needs. So hops
and their times depend on the samples alone, never on blocks.

It is our own for the 10 ms by which every note is heard sooner than by soxr's quickest engine. As the time from a hop's
last sample to the hop, and its cost, for 44.1 kHz / 48 kHz (`python -m training resamplers`):

    resampler                      latency ms     cost           -3 dB at    from 8.2 kHz on
    this                            2.5 /  2.5    1              7.65 kHz    below  -81 dB
    soxr, variable rate            15.0 / 13.3    1.78 / 1.49    8.00 kHz    below -115 dB
    soxr LQ                        23.0 / 20.0    1.07 / 0.97    6.50 kHz    below -104 dB
    soxr HQ                        41.4 / 37.3    0.87 / 1.01    7.65 kHz    below -131 dB
    libsamplerate, medium sinc      4.2 /  4.0    3.38 / 2.70    7.25 kHz    below -120 dB
    libsamplerate, fastest sinc     2.6 /  1.3    2.03 / 1.38    6.45 kHz    below -102 dB
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from device.errors import UserError
from device.hearing.features import finite

LOWEST_RATE = 8_000
HIGHEST_RATE = 384_000
PASS, STOP = 0.9, 1.025
"""Where the filter begins and ends to fall, as shares of the lower rate's half: 7.2 and 8.2 kHz for 16 kHz."""
ATTENUATION_DB = 80.0
FINEST = 2_000
"""Phases of the filter at most: a rate that would need more is met to within a 2,000th of a sample."""
Float = NDArray[np.float32]


class Hops:
    """Cuts a mono source at `source_rate` Hz into hops of `hop` samples at `model_rate` Hz.

    Raises UserError for a rate outside 8 to 384 kHz.
    """

    def __init__(self, source_rate: int, model_rate: int, hop: int) -> None:
        if not LOWEST_RATE <= source_rate <= HIGHEST_RATE:
            raise UserError(
                f"A sample rate of {source_rate} Hz cannot be used: give sound of {LOWEST_RATE} to {HIGHEST_RATE} Hz."
            )
        self.source_rate = source_rate
        self.model_rate = model_rate
        self.hop = hop
        alike = source_rate == model_rate
        self._filters = np.ones((1, 1), np.float32) if alike else phases(source_rate, model_rate)
        self._ahead = self._filters.shape[1] // 2
        self.reset()

    def reset(self) -> None:
        """Begin anew at time 0."""
        # as if silence had gone before, half a filter of it
        self._source = np.zeros(self._ahead, np.float32)
        self._first = -self._ahead
        self._pushed = 0
        self._hops = 0

    @property
    def hop_s(self) -> float:
        """Seconds between two hops."""
        return self.hop / self.model_rate

    @property
    def pushed_s(self) -> float:
        """Seconds of sound pushed so far."""
        return self._pushed / self.source_rate

    def push(self, block: Float) -> list[tuple[Float, float]]:
        """The hops that `block` (float32[n], any n) completes, each with its `now_s`.

        `now_s` is in seconds: source samples that the hop needed, from the first on / source rate.
        Samples that are no numbers count as silence.
        """
        self._pushed += len(block)
        if not finite(block):
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        self._source = np.concatenate([self._source, block.astype(np.float32, copy=False)])
        hops: list[tuple[Float, float]] = []
        while (needed := self._needed(self._hops)) <= self._pushed:
            hops.append((self._next(), needed / self.source_rate))
        done = self._centre(self._hops * self.hop) - self._ahead - self._first
        self._source, self._first = self._source[done:], self._first + done
        return hops

    def flush(self) -> list[tuple[Float, float]]:
        """Push silence until every sample pushed so far lies in a hop, and give those hops."""
        wanted = math.ceil(self._pushed * self.model_rate / self.source_rate / self.hop)
        return self.push(np.zeros(max(self._needed(wanted - 1) - self._pushed, 0), np.float32)) if wanted else []

    def _needed(self, hop: int) -> int:
        """Source samples that hop number `hop` (from 0) needs, counted from the first one."""
        return self._centre((hop + 1) * self.hop - 1) + self._ahead + 1

    def _centre(self, sample: int) -> int:
        """The source sample that `sample` at the model's rate lies at or just after."""
        return sample * self.source_rate // self.model_rate

    def _next(self) -> Float:
        """The next hop."""
        first = self._hops * self.hop
        self._hops += 1
        if self.source_rate == self.model_rate:
            return self._source[first - self._first : first - self._first + self.hop].copy()
        centre, rest = np.divmod(np.arange(first, first + self.hop) * self.source_rate, self.model_rate)
        begin = centre - self._ahead - self._first
        around = sliding_window_view(self._source, self._filters.shape[1])[begin]
        made: Float = np.einsum("nt,nt->n", around, self._filters[rest * len(self._filters) // self.model_rate])
        return made


def phases(source_rate: int, model_rate: int) -> Float:
    """[phases, taps]: what the source around a sample counts for one that lies p / phases after it.

    A sinc that falls about the middle of `PASS` and `STOP`, under Kaiser's window (Oppenheim and Schafer 2010, 7.5.3).
    """
    number = min(model_rate // math.gcd(source_rate, model_rate), FINEST)
    highest = min(source_rate, model_rate) / 2 / source_rate
    half = (ATTENUATION_DB - 7.95) / (2.285 * 2 * math.pi * (STOP - PASS) * highest) / 2
    ahead = math.ceil(half)
    from_centre = np.arange(-ahead, ahead + 1) - np.arange(number)[:, None] / number
    window = np.i0(0.1102 * (ATTENUATION_DB - 8.7) * np.sqrt(np.maximum(1 - (from_centre / half) ** 2, 0)))
    window[np.abs(from_centre) > half] = 0
    taps = np.sinc((PASS + STOP) * highest * from_centre) * window
    filters: Float = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return filters
