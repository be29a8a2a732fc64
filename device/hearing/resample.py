"""Turns samples of any rate, in blocks of any size, into hops at the rate of the model.

A polyphase filter (Crochiere and Rabiner 1983, 2.3): each output sample is the product of a windowed sinc with the
source samples around it. A hop is returned as soon as the source samples that its last sample needs have arrived. So
the hops and their times depend on the samples only, never on the block size.

This project has its own resampler because it hears every note 10 ms sooner than with the fastest engine of soxr. The
latency is the time from the last sample of a hop to the hop. The cost, in blocks of a sound card, is relative to this
resampler. Both are given for 44.1 kHz / 48 kHz (`python -m training resamplers`). soxr is three to four times cheaper
at 44.1 kHz, and 20 ms and more later:

    resampler                      latency ms     cost           -3 dB at    from 8.2 kHz on
    this                            2.5 /  2.5    1              7.65 kHz    below  -81 dB
    soxr, variable rate            15.0 / 13.3    0.85 / 2.80    8.00 kHz    below -115 dB
    soxr LQ                        23.0 / 20.0    0.27 / 0.92    6.50 kHz    below -104 dB
    soxr HQ                        41.4 / 37.3    0.27 / 0.94    7.65 kHz    below -131 dB
    libsamplerate, medium sinc      4.2 /  4.0    1.84 / 5.54    7.25 kHz    below -120 dB
    libsamplerate, fastest sinc     2.6 /  1.3    0.80 / 2.69    6.45 kHz    below -102 dB
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError
from device.hearing.features import finite

LOWEST_RATE = 8_000
HIGHEST_RATE = 384_000
PASS, STOP = 0.9, 1.025
"""End of the pass band and start of the stop band, as shares of half the lower rate: 7.2 and 8.2 kHz at 16 kHz."""
ATTENUATION_DB = 80.0
FINEST = 2_000
"""Largest number of filter phases. If a rate needs more, places are rounded to a 2,000th of a sample."""
TOGETHER = 16
"""Greatest number of output samples that one product of matrices makes. Each further one adds zeros to the matrix.

BLAS multiplies several numbers at once, so the product takes less time than a sum for each output sample.
"""
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
        self._together = _together(self._filters, source_rate // model_rate, hop)
        self.reset()

    def reset(self) -> None:
        """Forget all samples and start at time 0."""
        # half a filter of silence before the first sample
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
        """Length of the sound pushed so far, in seconds."""
        return self._pushed / self.source_rate

    @property
    def needed_now(self) -> int:
        """Number of source samples that are still needed for the next hop."""
        return self.needed(self._hops) - self._pushed

    def push(self, block: Float) -> list[tuple[Float, float]]:
        """Add `block` (float32[n], any n) and return the hops that it completes, each with its `now_s`.

        `now_s` is in seconds: the number of source samples up to the last one that the hop needs / source rate. Samples
        that are not finite count as 0.
        """
        self._pushed += len(block)
        if not finite(block):
            block = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        self._source = np.concatenate((self._source, block), dtype=np.float32, casting="same_kind")
        hops: list[tuple[Float, float]] = []
        while (needed := self.needed(self._hops)) <= self._pushed:
            hops.append((self._next(), needed / self.source_rate))
        done = self._centre(self._hops * self.hop) - self._ahead - self._first
        self._source, self._first = self._source[done:], self._first + done
        return hops

    def flush(self) -> list[tuple[Float, float]]:
        """Push silence until every sample pushed so far lies in a hop, and return those hops."""
        wanted = math.ceil(self._pushed * self.model_rate / self.source_rate / self.hop)
        return self.push(np.zeros(max(self.needed(wanted - 1) - self._pushed, 0), np.float32)) if wanted else []

    def needed(self, hop: int) -> int:
        """Return the number of source samples, from the first one, that hop number `hop` (from 0) needs."""
        return self._centre((hop + 1) * self.hop - 1) + self._ahead + 1

    def _centre(self, sample: int) -> int:
        """Return the number of the last source sample at or before `sample`, which counts at the model's rate."""
        return sample * self.source_rate // self.model_rate

    def _next(self) -> Float:
        """Calculate and return the next hop, float32[hop]."""
        first = self._hops * self.hop
        begin = self._centre(first) - self._ahead - self._first
        self._hops += 1
        if self.source_rate == self.model_rate:
            return self._source[begin : begin + self.hop].copy()
        taps = self._filters.shape[1]
        made: Float
        step = self._source.strides[0]
        if self._together is not None:
            # every output sample lies on a source sample, so BLAS can make several from one stretch of the source
            length, count = self._together.shape
            strides = (self.source_rate // self.model_rate * count * step, step)
            stretches: Float = np.ndarray((self.hop // count, length), np.float32, self._source, begin * step, strides)
            made = np.dot(stretches, self._together).reshape(-1)
            return made
        centre, rest = np.divmod(np.arange(first, first + self.hop) * self.source_rate, self.model_rate)
        # a view of every window of samples: numpy's own function for it takes longer than the sum below
        windows: Float = np.ndarray((len(self._source) - taps + 1, taps), np.float32, self._source, 0, (step, step))
        around: Float = windows[centre - self._ahead - self._first]
        made = np.einsum("nt,nt->n", around, self._filters[rest * len(self._filters) // self.model_rate])
        return made


def _together(filters: Float, apart: int, hop: int) -> Float | None:
    """Return a matrix that makes several output samples at once, float32[source samples, output samples].

    `filters` has one row if every output sample lies on a source sample. Neighbouring output samples are then `apart`
    source samples apart and have the same weights. Return None if there are more rows.

    The number of output samples divides the hop and is at most TOGETHER.
    """
    if len(filters) > 1:
        return None
    taps, count = filters.shape[1], math.gcd(hop, TOGETHER)
    matrix = np.zeros((taps + (count - 1) * apart, count), np.float32)
    for i in range(count):
        matrix[i * apart : i * apart + taps, i] = filters[0]
    return matrix


def phases(source_rate: int, model_rate: int) -> Float:
    """Return the filters that make output samples at `model_rate` from source samples at `source_rate`, both in Hz.

    An output sample can lie between two source samples. The returned array has one row for each such place, evenly
    spaced: with 3 rows, the places are 0, 1/3 and 2/3 of a sample after a source sample. A row holds the weights of the
    source samples around the output sample. Each row is a sinc with its cut-off halfway between `PASS` and `STOP`,
    multiplied by a Kaiser window (Oppenheim and Schafer 2010, 7.5.3).
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
