"""`python -m training resamplers` compares the device's resampler with streaming libraries.

The figures are latency, cost and frequency band.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeAlias

import click
import numpy as np

from device.errors import UserError
from device.hearing.features import FeatureSpec, Samples
from device.hearing.resample import Hops

RATES = (44_100, 48_000)
CHUNK = 64
"""Source samples per call for the latency: few, and a divisor of a hop at 48 kHz."""
BLOCK = 256
"""Source samples per call for the cost: a block of a sound card. Each call costs time of its own."""
SECONDS = 10
"""Seconds of noise for the cost."""
REPEATS = 5
"""Number of runs for the cost. The quickest counts."""
HALF_POWER_DB = -3.0
"""Level at which a filter passes half of the power."""
ABOVE_HZ = (8_200.0, 8_300.0, 9_000.0, 12_345.0, 20_000.0)
"""Frequencies above half of the model's sample rate, which must not come through."""

Stream: TypeAlias = Callable[[Samples], Samples]
Hop: TypeAlias = tuple[Samples, float]


def _soxr(quality: str | None) -> Callable[[int, int], Stream]:
    """Return a function (rate, model rate) -> stream that starts soxr's engine of this quality.

    If `quality` is None, it starts soxr's variable-rate engine. A stream turns a chunk of samples into resampled ones.
    """

    def begin(rate: int, model_rate: int) -> Stream:
        import soxr

        chosen = {"vr": True} if quality is None else {"quality": quality}
        return soxr.ResampleStream(rate, model_rate, num_channels=1, dtype="float32", **chosen).resample_chunk

    return begin


def _libsamplerate(kind: str) -> Callable[[int, int], Stream]:
    def begin(rate: int, model_rate: int) -> Stream:
        import samplerate

        resampler = samplerate.Resampler(kind, channels=1)
        return lambda chunk: resampler.process(chunk, model_rate / rate, end_of_input=False)

    return begin


LIBRARIES = {
    "soxr, variable rate": _soxr(None),
    "soxr LQ": _soxr("LQ"),
    "soxr HQ": _soxr("HQ"),
    "libsamplerate, medium sinc": _libsamplerate("sinc_medium"),
    "libsamplerate, fastest sinc": _libsamplerate("sinc_fastest"),
}


def ours(rate: int, spec: FeatureSpec) -> Callable[[Samples], list[Hop]]:
    """Return the device's own resampler: a function that turns samples at `rate` into hops.

    A hop is a block of `spec.hop` samples at the models' rate, with a time in seconds.
    """
    push = Hops(rate, spec.sample_rate, spec.hop).push
    return lambda samples: [hop for at in range(0, len(samples), BLOCK) for hop in push(samples[at : at + BLOCK])]


def chunked(
    begin: Callable[[int, int], Stream], rate: int, spec: FeatureSpec, size: int = CHUNK
) -> Callable[[Samples], list[Hop]]:
    """Return a function that resamples sound with a library's stream, in chunks of `size` samples.

    It returns hops. A hop is a block of `spec.hop` resampled samples, with the time in seconds at which the last chunk
    that it needs arrived.
    """
    stream = begin(rate, spec.sample_rate)

    def push(samples: Samples) -> list[Hop]:
        out, hops, taken = np.zeros(0, np.float32), list[Hop](), 0
        for taken in range(size, len(samples) + 1, size):
            out = np.concatenate([out, stream(samples[taken - size : taken])])
            while len(out) >= spec.hop:
                hops.append((out[: spec.hop], taken / rate))
                out = out[spec.hop :]
        return hops

    return push


def level_db(make: Callable[[], Callable[[Samples], list[Hop]]], hz: float, rate: int) -> float:
    """Return the output level in dB of a full-scale sine of `hz`, after the filter has settled.

    `make` returns a new resampler. `rate` is the sample rate of the sine.
    """
    sine = np.sin(2 * np.pi * hz * np.arange(rate) / rate).astype(np.float32)
    out = np.concatenate([hop for hop, _ in make()(sine)])[len(sine) // 20 :].astype(np.float64)
    return float(20 * np.log10(np.sqrt(2 * np.mean(out**2)) + 1e-12))


@click.command()
def resamplers() -> None:
    """Compare the device's resampler with streaming libraries."""
    missing = [name for name in ("soxr", "samplerate") if find_spec(name) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)} to compare with: `make setup` installs what is missing.")
    spec = FeatureSpec()
    click.echo(
        f"{'resampler':30s} {'rate':>6s} {'latency ms':>10s} {'cost':>6s} {'-3 dB at Hz':>11s} {'from 8.2 kHz':>12s}"
    )
    for rate in RATES:
        noise = np.random.default_rng(0).normal(0, 0.1, rate * SECONDS).astype(np.float32)
        own_s = 0.0
        for name, begin in {"lefthand": None, **LIBRARIES}.items():

            def make(
                size: int = CHUNK, begin: Callable[[int, int], Stream] | None = begin
            ) -> Callable[[Samples], list[Hop]]:
                return ours(rate, spec) if begin is None else chunked(begin, rate, spec, size)  # noqa: B023 - called here

            took = []
            for _ in range(REPEATS):
                push, began = make(BLOCK), time.process_time()
                push(noise)
                took.append(time.process_time() - began)
            own_s = own_s or min(took)
            hops = make()(noise)
            late_ms = 1e3 * max(now_s - (k + 1) * spec.hop_s for k, (_, now_s) in enumerate(hops))
            falls = next((hz for hz in range(6_000, 8_000, 50) if level_db(make, hz, rate) < HALF_POWER_DB), 8_000)
            above = max(level_db(make, hz, rate) for hz in ABOVE_HZ)
            click.echo(f"{name:30s} {rate:6d} {late_ms:10.1f} {min(took) / own_s:6.2f} {falls:11d} {above:9.0f} dB")
