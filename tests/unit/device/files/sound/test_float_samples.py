"""Samples in floating point that are no usual numbers: infinite ones, NaN, and ones near the largest float."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.files.sound.file import SoundFile

RATE = 44_100
SIGNALLING = np.array([0x7F800001], np.uint32).view(np.float32)[0]
"""A signalling NaN. Arithmetic with it raises the flag "invalid", and numpy then prints a warning."""


def tone() -> np.ndarray:
    return (0.3 * np.sin(np.arange(RATE) * 0.06)).astype(np.float32)


def read(path: Path, samples: np.ndarray) -> tuple[SoundFile, np.ndarray]:
    """Write `samples` bit by bit into a WAV file and read it. A warning of numpy fails the test."""
    soundfile.write(path, np.zeros(samples.shape), RATE, subtype="FLOAT")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"data") + 8] + samples.astype("<f4", copy=False).tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sound = SoundFile(path)
        return sound, sound.read()


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan, SIGNALLING], ids=["inf", "-inf", "nan", "signalling"])
def test_odd_samples_are_read_without_a_warning_and_the_others_stay(tmp_path: Path, odd: float) -> None:
    samples = tone()
    samples.view(np.uint32)[1000:3000] = np.array([odd], np.float32).view(np.uint32)
    _, heard = read(tmp_path / "a.wav", samples)
    assert np.array_equal(heard[:1000], samples[:1000]) and np.array_equal(heard[3000:], samples[3000:])


def test_two_channels_near_the_largest_float_are_heard_without_a_warning(tmp_path: Path) -> None:
    loud = tone() / 0.3 * np.float32(3e38)
    _, heard = read(tmp_path / "a.wav", np.stack([loud, loud], axis=1))
    assert np.allclose(heard, tone() / 0.3, atol=1e-3)
    sound, heard = read(tmp_path / "b.wav", np.stack([loud, -loud], axis=1))
    assert "cancel" in sound.warnings[0] and np.allclose(np.abs(heard), np.abs(tone()) / 0.3, atol=1e-3)


@pytest.mark.parametrize("odd", [np.inf, np.nan])
def test_a_file_without_a_finite_sample_is_as_silent_as_zeros(tmp_path: Path, odd: float) -> None:
    sound, _ = read(tmp_path / "a.wav", np.full(RATE, odd, np.float32))
    assert sound.peak_db() == -np.inf
