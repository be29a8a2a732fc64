"""Samples of any rate, in blocks of any size, to hops at the model's rate.

The hops depend on the samples alone: the source is cut into fixed chunks before it reaches soxr, and
a hop's time is when the chunk that completed it had been consumed. A file and a sound card that
delivers the same samples in other blocks therefore give the same hops at the same times.

soxr's variable-rate engine is used at a constant rate, because it is the quickest. Measured with soxr
1.1.0, chunks of 64, as the time from a hop's last sample to the hop (44.1 kHz / 48 kHz):

    engine           latency ms     -3 dB at    8.2 kHz and above
    variable rate    15.0 / 13.3    > 7.8 kHz   below -105 dB
    LQ               23.3 / 21.3    6.5 kHz     below -103 dB
    HQ               41.5 / 37.9    7.6 kHz     below -130 dB
    MQ               42.6 / 39.0    7.6 kHz     below -107 dB

It costs 5 ms of one core a second of sound, shifts it by 0.1 ms and does not drift within an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from device.errors import UserError, missing_extra

if TYPE_CHECKING:
    import soxr

CHUNK = 64
"""Source samples a chunk: 1.5 ms at 44.1 kHz, and a divisor of a hop of 768 samples at 48 kHz."""
LOWEST_RATE = 8_000
HIGHEST_RATE = 384_000


class Hops:
    """Cuts a mono source at `source_rate` Hz into hops of `hop` samples at `model_rate` Hz.

    `extra` names the extra that brings soxr, for the sentence where it is missing. Raises UserError
    for a rate outside 8 to 384 kHz, or where soxr is needed and absent.
    """

    def __init__(self, source_rate: int, model_rate: int, hop: int, extra: str = "play") -> None:
        if not LOWEST_RATE <= source_rate <= HIGHEST_RATE:
            raise UserError(
                f"A sample rate of {source_rate} Hz cannot be used: give sound of {LOWEST_RATE} to {HIGHEST_RATE} Hz."
            )
        self.source_rate = source_rate
        self.model_rate = model_rate
        self.hop = hop
        self._stream = None if source_rate == model_rate else _stream(source_rate, model_rate, extra)
        self.reset()

    def reset(self) -> None:
        """Begin anew at time 0."""
        if self._stream is not None:
            self._stream.clear()
        self._source = np.empty(0, np.float32)
        self._output = np.empty(0, np.float32)
        self._pushed = 0
        self._consumed = 0
        self._hops = 0

    @property
    def hop_s(self) -> float:
        """Seconds between two hops."""
        return self.hop / self.model_rate

    @property
    def pushed_s(self) -> float:
        """Seconds of sound pushed so far."""
        return self._pushed / self.source_rate

    def push(self, block: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], float]]:
        """The hops that `block` (float32[n], any n) completes, each with its `now_s`.

        `now_s` is in seconds: source samples consumed by the end of the completing chunk / source rate.
        Samples that are no numbers count as silence.
        """
        self._pushed += len(block)
        finite = np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        self._source = np.concatenate([self._source, finite.astype(np.float32, copy=False)])
        chunks = len(self._source) // CHUNK
        hops: list[tuple[NDArray[np.float32], float]] = []
        for i in range(chunks):
            hops += self._consume(self._source[i * CHUNK : (i + 1) * CHUNK])
        self._source = self._source[chunks * CHUNK :]
        return hops

    def flush(self) -> list[tuple[NDArray[np.float32], float]]:
        """Push silence until every sample pushed so far lies in a hop, and give those hops."""
        wanted = int(np.ceil(self._pushed * self.model_rate / self.source_rate / self.hop))
        hops: list[tuple[NDArray[np.float32], float]] = []
        while self._hops < wanted:
            hops += self.push(np.zeros(CHUNK, np.float32))
        return hops

    def _consume(self, chunk: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], float]]:
        self._consumed += CHUNK
        resampled = chunk if self._stream is None else self._stream.resample_chunk(chunk)
        self._output = np.concatenate([self._output, resampled])
        hops: list[tuple[NDArray[np.float32], float]] = []
        while len(self._output) >= self.hop:
            hops.append((self._output[: self.hop].copy(), self._consumed / self.source_rate))
            self._output = self._output[self.hop :]
            self._hops += 1
        return hops


def _stream(source_rate: int, model_rate: int, extra: str) -> soxr.ResampleStream:
    try:
        import soxr
    except ImportError:
        raise missing_extra("soxr", extra) from None
    return soxr.ResampleStream(source_rate, model_rate, num_channels=1, dtype="float32", vr=True)
