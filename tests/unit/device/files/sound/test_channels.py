"""Channels of a sound file: the mean, or the better channel alone where the mean loses sound."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.errors import UserError
from device.files.sound.file import SoundFile

RATE = 44_100


@cache
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
    out.flags.writeable = False
    return out


def long_music() -> np.ndarray:
    """24 s of music."""
    return np.concatenate([music(seed=seed) for seed in (1, 2, 3)] * 2)


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


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_loud_last_second_of_a_reverberant_recording_does_not_decide_alone(tmp_path: Path, seed: int) -> None:
    dry = music(11.0, seed) * np.where(np.arange(11 * RATE) < 10 * RATE, 0.4, 1.0)
    both = [hall(dry, 10 * seed + side) - 0.7 * dry for side in (1, 2)]
    sound = heard(tmp_path / "hall.wav", *both)
    assert sound.warnings == [] and same(sound, (both[0] + both[1]) / 2)


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


@pytest.mark.parametrize("ms", [0.5, 1.0, 3.0, 5.0, 10.0, 20.0, 40.0])
def test_channels_shifted_in_time_leave_the_better_channel(tmp_path: Path, ms: float) -> None:
    a = hall(music(), 3)
    later = 0.8 * delayed(hall(music(), 4), round(ms * RATE / 1000))
    for channels in ((a, later), (later, a)):
        sound = heard(tmp_path / "a.wav", *channels)
        assert same(sound, a)
        assert f"{ms:.1f} ms apart in time" in sound.warnings[0]


@pytest.mark.parametrize("gain", [1.0, 0.4, -1.0, -0.5])
def test_the_delay_is_named_also_where_a_channel_is_softer_or_inverted_and_where_the_mean_is_weak(
    tmp_path: Path, gain: float
) -> None:
    a = music()
    for ms in (1.0, 5.0, 20.0):
        later = gain * delayed(a, round(ms * RATE / 1000))
        (warning,) = heard(tmp_path / "a.wav", a, later).warnings
        assert f"{ms:.1f} ms apart in time" in warning


def test_the_delay_is_named_among_many_channels(tmp_path: Path) -> None:
    a = music()
    six = [a, 0.8 * a, 0.5 * a, np.zeros_like(a), *(0.5 * delayed(a, round(ms * RATE / 1000)) for ms in (15, 17))]
    ten = [delayed(a, round(2 * i * RATE / 1000)) for i in range(10)]
    for channels, ms in ((six, 17.0), (ten, 18.0)):
        assert f"{ms:.1f} ms apart in time" in heard(tmp_path / "a.wav", *channels).warnings[0]


def test_channels_that_drift_apart_are_not_averaged(tmp_path: Path) -> None:
    a = long_music()
    at = np.arange(len(a))
    drifted = np.interp(at * 1.00005, at, a)  # 50 ppm: two recorders, each with its own quartz
    assert "apart in time" in heard(tmp_path / "a.wav", a, drifted).warnings[0]


def test_a_plug_that_is_turned_half_way_through_is_no_loss(tmp_path: Path) -> None:
    a = long_music()
    other = np.where(np.arange(len(a)) < len(a) // 2, -0.9, 0.9) * a
    sound = heard(tmp_path / "a.wav", a, other)
    assert same(sound, a) and "cancel" in sound.warnings[0]


def test_one_channel_with_sound_among_many_silent_ones_is_heard_at_its_own_level(tmp_path: Path) -> None:
    a = music()
    sound = heard(tmp_path / "a.wav", *[np.zeros_like(a)] * 5, a, np.zeros_like(a), np.zeros_like(a))
    assert same(sound, a)
    assert "much weaker than one of them: channel 6 alone" in sound.warnings[0]


@pytest.mark.parametrize("kind", ["noise", "hum"])
def test_a_channel_of_loud_noise_is_left_out(tmp_path: Path, kind: str) -> None:
    a, rng = music(), np.random.default_rng(0)
    hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(len(a)) / RATE)
    noise = {"noise": 0.3 * rng.normal(size=len(a)), "hum": hum}[kind]
    for channels, number in (((noise, a), 1), ((a, noise), 2)):
        sound = heard(tmp_path / "a.wav", *channels)
        assert same(sound, a)
        assert f"Channel {number} of" in sound.warnings[0] and "steady noise and no music" in sound.warnings[0]


def test_a_clipped_channel_is_left_out_if_another_holds_the_same_music(tmp_path: Path) -> None:
    a, b = music(), music(seed=2)
    clipped = np.clip(8 * a, -0.9, 0.9)
    for channels, number in (((clipped, a), 1), ((0.5 * a, clipped), 2)):
        sound = heard(tmp_path / "a.wav", *channels)
        assert same(sound, channels[2 - number])
        assert f"Channel {number} of" in sound.warnings[0] and "is clipped" in sound.warnings[0]
    assert same(heard(tmp_path / "a.wav", clipped, b), (clipped + b) / 2)


def test_a_channel_without_numbers_silences_no_other(tmp_path: Path) -> None:
    a = music()
    for bad in (np.nan, np.inf):
        assert same(heard(tmp_path / "a.wav", a, np.full_like(a, bad)), a / 2)


def test_a_constant_offset_in_one_channel_changes_no_choice(tmp_path: Path) -> None:
    a = music()
    for other in (a + 0.3, np.full_like(a, 0.3)):
        sound = heard(tmp_path / "a.wav", a, other)
        assert same(sound, (a + other) / 2) and sound.warnings == []


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
    with pytest.raises(UserError, match=r"has 1 channel: leave out --channel\.$"):
        heard(tmp_path / "a.wav", a, channel=2)


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


def room(sound: np.ndarray, seed: int, wet: float) -> np.ndarray:
    """The sound with a long reverberation of its own, much louder than in `hall`."""
    tail = np.random.default_rng(seed).normal(size=RATE) * np.exp(-6 * np.arange(RATE) / RATE)
    size = len(sound) + RATE
    return sound + wet * np.fft.irfft(np.fft.rfft(sound, size) * np.fft.rfft(tail, size), size)[: len(sound)]


@pytest.mark.parametrize("seconds", [0.4, 0.8, 1.2, 1.6, 2.0])
def test_a_short_file_with_much_reverberation_is_averaged(tmp_path: Path, seconds: float) -> None:
    for seed in range(8):
        a = music(2.0, seed)[: int(seconds * RATE)]
        assert heard(tmp_path / "a.wav", room(a, 10 * seed, 0.02), room(a, 10 * seed + 1, 0.02)).warnings == []


def test_an_inverted_or_late_channel_of_a_short_file_is_found(tmp_path: Path) -> None:
    a = music(1.0)
    assert "cancel" in heard(tmp_path / "a.wav", a[: RATE // 3], -0.8 * a[: RATE // 3]).warnings[0]
    assert "9.5 ms apart" in heard(tmp_path / "a.wav", a, 0.8 * delayed(hall(a, 2), 419)).warnings[0]


@pytest.mark.parametrize("spoilt", [0, 1, 5])
def test_a_channel_of_noise_or_clipping_among_many_is_left_out(tmp_path: Path, spoilt: int) -> None:
    a = music()
    channels = [(0.5 + 0.05 * number) * hall(a, number) for number in range(10)]
    clipped, noise = np.clip(12 * channels[spoilt], -1, 1), 0.3 * np.random.default_rng(0).normal(size=len(a))
    for bad, words in ((clipped, "is clipped"), (noise, "holds a steady noise")):
        (warning,) = heard(tmp_path / "a.wav", *channels[:spoilt], bad, *channels[spoilt + 1 :]).warnings
        assert f"Channel {spoilt + 1} of" in warning and words in warning
        assert f"channel {spoilt + 1} alone" not in warning


@pytest.mark.parametrize("ms", [1.0, 9.5])
def test_the_sum_and_the_difference_of_two_microphones_are_named(tmp_path: Path, ms: float) -> None:
    left, right = hall(music(), 1), hall(delayed(music(), round(ms * RATE / 1000)), 2)
    for channels in ((left + right, left - right), (left - right, left + right)):
        sound = heard(tmp_path / "a.wav", *channels)
        assert same(sound, left)
        (warning,) = sound.warnings
        assert "is the sum of two microphones and the other their difference" in warning
