"""Channels of a sound file: the mean, or the better channel alone where the mean loses sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.files.sound_file import SoundFile

RATE = 44_100


def music(seconds: float = 4.0, seed: int = 1) -> np.ndarray:
    """Decaying chords with partials, as a piano would give them."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(seconds * RATE))
    for begin in range(0, len(out), RATE // 2):
        t = np.arange(len(out) - begin) / RATE
        for pitch in rng.choice(np.arange(52, 84), 3, replace=False):
            hz = 440 * 2 ** ((pitch - 69) / 12)
            for h in range(1, 7):
                out[begin:] += 0.05 / h * np.sin(2 * np.pi * hz * h * t + rng.uniform(0, 6)) * np.exp(-3 * h * t)
    return out


def delayed(sound: np.ndarray, samples: int) -> np.ndarray:
    return np.concatenate([np.zeros(samples), sound])[: len(sound)]


def hall(sound: np.ndarray, seed: int) -> np.ndarray:
    """The sound with its own reverberation, as a second microphone at one place records it."""
    rng = np.random.default_rng(seed)
    tail = rng.normal(size=RATE // 4) * np.exp(-np.arange(RATE // 4) / RATE * 25)
    size = len(sound) + len(tail)
    reverberation = np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]
    return sound + 0.02 * reverberation


def heard(path: Path, *channels: np.ndarray, channel: int | None = None) -> SoundFile:
    soundfile.write(path, np.stack(channels, axis=1), RATE, subtype="FLOAT")
    return SoundFile(path, channel)


def same(sound: SoundFile, samples: np.ndarray) -> bool:
    return bool(np.allclose(sound.read(), samples, atol=1e-5))


def test_channels_that_are_alike_are_averaged(tmp_path: Path) -> None:
    a, noise = music(), 0.001 * np.random.default_rng(0).normal(size=4 * RATE)
    for other in (a, 0.5 * a, a + noise, np.zeros_like(a), noise, hall(a, 3), delayed(a, 3)):
        sound = heard(tmp_path / "a.wav", a, other)
        assert same(sound, (a + other) / 2) and sound.warnings == []


def test_two_instruments_far_left_and_right_are_averaged(tmp_path: Path) -> None:
    one, other = music(seed=1), music(seed=2)
    assert same(heard(tmp_path / "a.wav", one, other), (one + other) / 2)


@pytest.mark.parametrize("gain", [1.0, 0.7, 0.4])
def test_an_inverted_channel_leaves_the_better_channel(tmp_path: Path, gain: float) -> None:
    a = music()
    for channels, better in (((a, -gain * a), a), ((-gain * hall(a, 3), hall(a, 4)), hall(a, 4))):
        sound = heard(tmp_path / "a.wav", *channels)
        assert same(sound, better)
        (warning,) = sound.warnings
        assert "cancel each other out" in warning and "--channel" in warning


def test_channels_that_cancel_in_part_of_the_spectrum_leave_the_better_channel(tmp_path: Path) -> None:
    spectrum = np.fft.rfft(music())
    low = np.arange(len(spectrum)) * RATE / (4 * RATE) < 700
    other = np.fft.irfft(np.where(low, -spectrum, spectrum))
    assert same(heard(tmp_path / "a.wav", music(), 0.9 * other), music())


@pytest.mark.parametrize("ms", [0.5, 1.0, 3.0, 10.0, 40.0])
def test_channels_shifted_in_time_leave_the_better_channel(tmp_path: Path, ms: float) -> None:
    a = hall(music(), 3)
    later = 0.8 * delayed(hall(music(), 4), round(ms * RATE / 1000))
    for channels in ((a, later), (later, a)):
        sound = heard(tmp_path / "a.wav", *channels)
        assert same(sound, a)
        assert any(words in sound.warnings[0] for words in ("apart in time", "cancel each other out"))


def test_the_louder_channel_is_not_better_if_it_is_louder_by_noise(tmp_path: Path) -> None:
    a = music()
    noisy = -0.5 * a + 0.3 * np.sin(2 * np.pi * 50 * np.arange(len(a)) / RATE)
    assert same(heard(tmp_path / "a.wav", noisy, a), a)


def test_a_channel_can_be_chosen(tmp_path: Path) -> None:
    a, b = music(seed=1), music(seed=2)
    for number, samples in ((1, a), (2, b), (3, -a)):
        sound = heard(tmp_path / "a.wav", a, b, -a, channel=number)
        assert same(sound, samples) and sound.warnings == []
    with pytest.raises(UserError, match="has 3 channels: give --channel a number from 1 to 3"):
        heard(tmp_path / "a.wav", a, b, -a, channel=4)


@pytest.mark.parametrize("number", [4, 12])
def test_an_inverted_channel_among_many_is_found(tmp_path: Path, number: int) -> None:
    a = music()
    signs = [(-1) ** i for i in range(number)]
    sound = heard(tmp_path / "a.wav", *(sign * (1 - 0.01 * i) * a for i, sign in enumerate(signs)))
    assert same(sound, a) and "cancel" in sound.warnings[0]


def test_silence_and_a_few_samples_are_read(tmp_path: Path) -> None:
    silence = np.zeros(RATE)
    assert same(heard(tmp_path / "a.wav", silence, silence), silence)
    few = np.array([0.5, 0.25, 0.1])
    assert same(heard(tmp_path / "a.wav", few, few), few)
