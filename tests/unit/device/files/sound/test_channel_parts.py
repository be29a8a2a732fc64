"""Channels that change within a file: a polarity that turns for a while, a channel that drops out or joins late."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from device.files.sound.file import SoundFile
from tests.unit.device.files.sound.test_channels import RATE, hall, long_music

SECONDS = 24


def heard(path: Path, *channels: np.ndarray) -> SoundFile:
    soundfile.write(path, np.stack(channels, axis=1), RATE, subtype="FLOAT")
    return SoundFile(path)


def within(first_s: float, last_s: float) -> np.ndarray:
    """Whether each sample of the music lies between two times, bool[samples]."""
    at = np.arange(SECONDS * RATE) / RATE
    return np.asarray((at >= first_s) & (at < last_s))


@pytest.mark.parametrize(("first_s", "last_s"), [(18.0, 24.0), (8.0, 16.0), (20.0, 24.0), (0.0, 4.0)])
@pytest.mark.parametrize("reverberates", [False, True])
def test_a_polarity_that_turns_for_some_seconds_is_no_loss(
    tmp_path: Path, first_s: float, last_s: float, reverberates: bool
) -> None:
    dry = long_music()
    one, other = (hall(dry, 3), hall(dry, 4)) if reverberates else (dry, 0.9 * dry)
    turned = np.where(within(first_s, last_s), -other, other)
    sound = heard(tmp_path / "a.wav", one, turned)
    assert "cancel each other out" in sound.warnings[0]
    assert any(np.allclose(sound.read(), channel, atol=1e-5) for channel in (one, turned))


@pytest.mark.parametrize(("first_s", "last_s"), [(12.0, 24.0), (0.0, 12.0)])
@pytest.mark.parametrize("gain", [1.0, 0.3])
def test_an_inverted_channel_that_is_silent_for_a_while_is_not_the_better_one(
    tmp_path: Path, first_s: float, last_s: float, gain: float
) -> None:
    a = long_music()
    sound = heard(tmp_path / "a.wav", gain * a, np.where(within(first_s, last_s), 0.0, -a))
    assert "channel 1 alone" in sound.warnings[0] and np.allclose(sound.read(), gain * a, atol=1e-5)


def test_a_clean_channel_that_drops_out_does_not_replace_a_clipped_one(tmp_path: Path) -> None:
    a = long_music()
    clipped = np.clip(8 * a, -0.9, 0.9)
    sound = heard(tmp_path / "a.wav", clipped, np.where(within(8.0, 24.0), 0.0, a))
    last = within(10.0, 24.0)
    assert np.sqrt(np.mean(sound.read()[last] ** 2)) > 0.1


def test_channels_that_cancel_for_a_moment_are_averaged(tmp_path: Path) -> None:
    a = long_music()
    other = np.where(within(5.0, 6.0), -a, a)
    sound = heard(tmp_path / "a.wav", a, other)
    assert sound.warnings == [] and np.allclose(sound.read(), (a + other) / 2, atol=1e-5)


def test_noise_that_is_inverted_between_two_pieces_changes_no_choice(tmp_path: Path) -> None:
    rest, noise = within(8.0, 16.0), 1e-4 * np.random.default_rng(0).normal(size=SECONDS * RATE)
    a = np.where(rest, noise, long_music())
    other = np.where(rest, -a, a)
    sound = heard(tmp_path / "a.wav", a, other)
    assert sound.warnings == [] and np.allclose(sound.read(), (a + other) / 2, atol=1e-5)
