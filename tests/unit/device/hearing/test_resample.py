"""Hops: the same samples give the same hops at the same times, for all block sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.errors import UserError
from device.hearing.resample import Hops

MODEL_RATE, HOP = 16_000, 256


def cut(samples: NDArray[np.float32], rate: int, sizes: list[int]) -> list[tuple[NDArray[np.float32], float]]:
    hops, out, i = Hops(rate, MODEL_RATE, HOP), [], 0
    while i < len(samples):
        size = sizes[len(out) % len(sizes)]
        out += hops.push(samples[i : i + size])
        i += size
    return out


def noise(rate: int, seconds: float) -> NDArray[np.float32]:
    return np.random.default_rng(1).uniform(-0.5, 0.5, int(rate * seconds)).astype(np.float32)


def sine(hz: float, rate: int, seconds: float = 1.0) -> NDArray[np.float32]:
    return np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate).astype(np.float32)


@given(
    rate=st.sampled_from([16_000, 22_050, 44_100, 48_000]),
    sizes=st.lists(st.integers(1, 3_000), min_size=1, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_any_block_size_gives_the_same_hops_at_the_same_times(rate: int, sizes: list[int]) -> None:
    samples = noise(rate, 0.5)
    whole = cut(samples, rate, [len(samples)])
    pieces = cut(samples, rate, sizes)
    assert [now for _, now in pieces] == [now for _, now in whole]
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(pieces, whole, strict=True))


def test_at_the_models_rate_the_samples_pass_untouched_and_each_hop_comes_with_its_last_sample() -> None:
    samples = noise(MODEL_RATE, 0.5)
    hops = cut(samples, MODEL_RATE, [1_000])
    assert np.array_equal(np.concatenate([hop for hop, _ in hops]), samples[: len(hops) * HOP])
    assert [now for _, now in hops] == [(i + 1) * HOP / MODEL_RATE for i in range(len(hops))]


@pytest.mark.parametrize(("rate", "latest_ms"), [(44_100, 2.6), (48_000, 2.6)])
def test_a_hop_is_out_within_a_hop_of_its_last_sample(rate: int, latest_ms: float) -> None:
    late = [now - (i + 1) * HOP / MODEL_RATE for i, (_, now) in enumerate(cut(noise(rate, 2.0), rate, [480]))]
    assert min(late) > 0 and max(late) * 1e3 < latest_ms


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("hz", [8_300.0, 9_000.0, 12_345.0, 20_000.0])
def test_what_the_model_rate_cannot_hold_is_70_db_down(rate: int, hz: float) -> None:
    alias = np.concatenate([hop for hop, _ in cut(sine(hz, rate), rate, [480])])[4 * HOP :]
    assert 20 * np.log10(np.sqrt(np.mean(alias**2)) / np.sqrt(0.5) + 1e-12) < -70


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_sound_keeps_its_place_in_time(rate: int) -> None:
    hz = 440.0
    got = np.concatenate([hop for hop, _ in cut(sine(hz, rate), rate, [480])])
    steady = slice(4 * HOP, len(got))
    expected = sine(hz, MODEL_RATE)[: len(got)]
    assert np.max(np.abs(got[steady] - expected[steady])) < 2 * np.pi * hz * 0.2e-3


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_flush_brings_out_every_sample_pushed(rate: int) -> None:
    hops = Hops(rate, MODEL_RATE, HOP)
    samples = noise(rate, 0.333)
    out = hops.push(samples) + hops.flush()
    assert len(out) * HOP / MODEL_RATE >= len(samples) / rate > (len(out) - 1) * HOP / MODEL_RATE


def test_reset_forgets_the_past() -> None:
    hops = Hops(44_100, MODEL_RATE, HOP)
    samples = noise(44_100, 0.3)
    first = hops.push(samples)
    hops.push(noise(44_100, 0.1))
    hops.reset()
    again = hops.push(samples)
    assert all(np.array_equal(a, b) and s == t for (a, s), (b, t) in zip(first, again, strict=True))


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_count_as_silence(rate: int, poison: float) -> None:
    samples = noise(rate, 0.3)
    silenced, poisoned = samples.copy(), samples.copy()
    silenced[500:600], poisoned[500:600] = 0.0, poison
    clean = cut(silenced, rate, [480])
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(clean, cut(poisoned, rate, [480]), strict=True))


@pytest.mark.parametrize("rate", [0, 4_000, 1_000_000])
def test_a_rate_that_no_sound_has_is_refused_in_a_sentence(rate: int) -> None:
    with pytest.raises(UserError, match=f"{rate} Hz"):
        Hops(rate, MODEL_RATE, HOP)
