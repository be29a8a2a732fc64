"""Spectrograms of the older transcribers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.unit.helpers.numba_lazily  # noqa: F401
from device.errors import UserError
from training.experiments.older_transcribers.spectra import KINDS, Spectrum

RATE = 16_000


def sine(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE).astype(np.float32)


@pytest.mark.parametrize("pitch", [45, 57, 69, 81, 93])
@pytest.mark.parametrize("kind", ["log", "cqt"])
def test_a_tone_peaks_at_its_key(kind: str, pitch: int) -> None:
    spectrum = Spectrum(kind)
    levels = spectrum.of(0.5 * sine(440 * 2 ** ((pitch - 69) / 12)), RATE)
    assert abs(int(np.argmax(levels[len(levels) // 2])) - 3 * (pitch - 21)) <= 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_frames_and_bins_are_as_announced(kind: str, rate: int) -> None:
    spectrum = Spectrum(kind, rate, rate // 50, 24)
    levels = spectrum.of(sine(440, 0.73), RATE)
    assert levels.shape == (spectrum.frames(int(0.73 * rate)), spectrum.bins)
    assert levels.dtype == np.uint8


@pytest.mark.parametrize("kind", KINDS)
def test_silence_is_the_floor_and_louder_is_higher(kind: str) -> None:
    spectrum = Spectrum(kind)
    soft, loud = (spectrum.of(np.float32(gain) * sine(440), RATE) for gain in (0.01, 0.1))
    assert not spectrum.of(np.zeros(RATE, np.float32), RATE).any()
    risen = 100 / 255 * (int(loud[30].max()) - int(soft[30].max()))
    assert risen == pytest.approx(20, abs=0.5)


@given(st.integers(4_000, 48_000), st.integers(12, 96))
def test_no_bin_lies_beyond_what_the_rate_carries(rate: int, bins: int) -> None:
    spectrum = Spectrum("log", rate, 64, bins)
    assert 27.5 * 2 ** ((spectrum.bins - 1) / bins) < rate / 2


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"kind": "wavelet"}, "wavelet"),
        ({"sample_rate": 100}, "--sr 100"),
        ({"hop": 0}, "--hop-length 0"),
        ({"hop": 9_999}, "--hop-length 9999"),
        ({"bins_per_octave": 3}, "--bins-per-octave 3"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong: dict[str, int], named: str) -> None:
    with pytest.raises(UserError, match=named):
        Spectrum(**wrong)
