"""Features: a hop and a recording use one function, all machines get the same numbers, and bad input does no harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.hearing.features import BATCH_FRAMES, Features, FeatureSpec, golden_input

SPEC = FeatureSpec()
GOLDEN = Path(__file__).parents[3] / "fixtures" / "features.npz"
"""`samples` and every fourth frame of them, as numpy 1.26 gave them on x86."""
FULL_SCALE_TOLERANCE = 1e-4
WINDOW_HOPS = max(SPEC.window_lengths) // SPEC.hop


def noise(hops: int, seed: int = 0, level: float = 0.1) -> NDArray[np.float32]:
    samples = np.random.default_rng(seed).standard_normal(hops * SPEC.hop)
    return np.asarray(level * samples, np.float32)


def stepped(features: Features, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    frames: NDArray[np.float32] = np.stack([features.step(hop) for hop in samples.reshape(-1, SPEC.hop)])
    return frames


def sine(pitch: int, hops: int = WINDOW_HOPS, amplitude: float = 1.0) -> NDArray[np.float32]:
    t = np.arange(hops * SPEC.hop) / SPEC.sample_rate
    return np.asarray(amplitude * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t), np.float32)


@given(hops=st.integers(1, 40), seed=st.integers(0, 1000), level=st.floats(1e-5, 3.0))
@settings(max_examples=15, deadline=None)
def test_steps_equal_frames_bit_for_bit(hops: int, seed: int, level: float) -> None:
    samples = noise(hops, seed, level)
    assert np.array_equal(stepped(Features(SPEC), samples), Features(SPEC).frames(samples))


def test_frames_across_a_batch_equal_steps_bit_for_bit() -> None:
    samples = noise(BATCH_FRAMES + 3)
    assert np.array_equal(stepped(Features(SPEC), samples)[-5:], Features(SPEC).frames(samples)[-5:])


def test_samples_after_the_last_whole_hop_make_no_frame() -> None:
    samples = noise(4)
    assert np.array_equal(Features(SPEC).frames(samples[:-1]), Features(SPEC).frames(samples[: 3 * SPEC.hop]))


def test_golden_frames_are_the_same_here() -> None:
    golden = np.load(GOLDEN)
    found = Features(SPEC).frames(golden["samples"])[:: int(golden["every"])]
    assert found.shape == golden["frames"].shape and np.ptp(golden["frames"]) > 0.5
    assert np.max(np.abs(found - golden["frames"])) <= FULL_SCALE_TOLERANCE
    assert np.max(np.abs(golden_input(SPEC) - golden["samples"])) <= 1e-6


@given(
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    where=st.lists(st.integers(0, 8 * SPEC.hop - 1), min_size=1, max_size=50),
)
@settings(max_examples=15, deadline=None)
def test_what_is_no_number_counts_as_silence(bad: float, where: list[int]) -> None:
    silent, poisoned = noise(8), noise(8)
    silent[where], poisoned[where] = 0, bad
    assert np.array_equal(stepped(Features(SPEC), poisoned), stepped(Features(SPEC), silent))


def test_beyond_full_scale_counts_as_full_scale() -> None:
    loud = noise(8, level=1e6)
    assert np.array_equal(Features(SPEC).frames(loud), Features(SPEC).frames(np.clip(loud, -1, 1)))


@given(seed=st.integers(0, 1000), power=st.integers(-30, 30))
@settings(max_examples=15, deadline=None)
def test_levels_stay_within_0_and_1(seed: int, power: int) -> None:
    frames = Features(SPEC).frames(noise(4, seed, 10.0**power))
    assert np.all((frames >= 0) & (frames <= 1))


def test_nothing_of_a_disturbance_is_left_once_the_windows_have_passed_it() -> None:
    disturbed, clean = noise(2 * WINDOW_HOPS), noise(2 * WINDOW_HOPS)
    disturbed[: WINDOW_HOPS * SPEC.hop] = np.tile([np.nan, np.inf, 1e30, -1e30], WINDOW_HOPS * SPEC.hop // 4)
    assert np.array_equal(
        stepped(Features(SPEC), disturbed)[2 * WINDOW_HOPS - 1], stepped(Features(SPEC), clean)[2 * WINDOW_HOPS - 1]
    )


def test_reset_forgets() -> None:
    features, samples = Features(SPEC), noise(5)
    first = stepped(features, samples)
    assert not np.array_equal(stepped(features, samples), first)
    features.reset()
    assert np.array_equal(stepped(features, samples), first)


@pytest.mark.parametrize("pitch", range(45, 109, 3))
def test_a_sine_is_loudest_in_the_middle_bin_of_its_key(pitch: int) -> None:
    longest = Features(SPEC).frames(sine(pitch))[-1, :, 0]
    assert int(np.argmax(longest)) == 3 * (pitch - 21) + 1


@pytest.mark.parametrize("decibels", [0, -20, -60])
def test_a_sine_has_its_level_in_dbfs(decibels: int) -> None:
    frame = Features(SPEC).frames(sine(93, amplitude=10 ** (decibels / 20)))[-1]
    assert frame[:, 0].max() == pytest.approx(1 + decibels / 100, abs=0.03)


def test_silence_is_0() -> None:
    assert not Features(SPEC).frames(np.zeros(20 * SPEC.hop, np.float32)).any()


def test_a_frame_knows_nothing_of_later_samples() -> None:
    samples, other = noise(10), noise(10)
    other[6 * SPEC.hop :] = 0.5
    assert np.array_equal(Features(SPEC).frames(samples)[:6], Features(SPEC).frames(other)[:6])


def test_a_hop_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="256"):
        Features(SPEC).step(np.zeros(255, np.float32))


def test_a_spec_comes_back_from_the_manifest() -> None:
    assert FeatureSpec.from_dict(SPEC.to_dict()) == SPEC
    with pytest.raises(TypeError):
        FeatureSpec.from_dict(SPEC.to_dict() | {"colour": 1})
