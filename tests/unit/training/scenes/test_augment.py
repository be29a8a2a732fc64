"""Augmentation keeps labels true: same length, same onsets, and what it changes is bounded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfreqz

from device.errors import UserError
from training.pianos.renderer import RATE
from training.scenes.acoustics import (
    in_room,
    microphone,
    peak_section,
    room_response,
    shelf_section,
    through_microphone,
)
from training.scenes.augment import (
    CHANGES,
    Augmentation,
    at_peak,
    augment,
    gain_controlled,
    overdriven,
    with_noise,
)
from training.scenes.noise import COLOURS, clip_noise, load_clips
from training.scenes.voices import conversation

SEEDS = st.integers(0, 2**32 - 1)


def rms(audio: npt.NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(audio.astype(np.float64) ** 2)))


@pytest.fixture(scope="module")
def music() -> npt.NDArray[np.float32]:
    time_s = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 440 * time_s) * np.exp(-3 * time_s)
    return np.concatenate([np.zeros(RATE // 2), tone]).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_length_and_type_stay_and_samples_are_finite(music: npt.NDArray[np.float32], seed: int) -> None:
    heard = augment(music, np.random.default_rng(seed))
    assert heard.shape == music.shape and heard.dtype == np.float32 and np.isfinite(heard).all()


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_peaks_lie_between_minus_30_db_and_full_scale(music: npt.NDArray[np.float32], seed: int) -> None:
    peak = np.abs(augment(music, np.random.default_rng(seed))).max()
    assert 10 ** (-30 / 20) * 0.999 <= peak <= 1.001


def test_the_same_seed_gives_the_same_audio(music: npt.NDArray[np.float32]) -> None:
    first, again, other = (augment(music, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_several_utterances_follow_one_another_in_a_conversation() -> None:
    voices = [np.full(RATE, level, np.float32) for level in (1.0, 2.0, 3.0, 4.0)]
    said = conversation(24 * RATE, voices, np.random.default_rng(3))
    spoken = said[said > 0]
    assert said.shape == (24 * RATE,) and rms(said) == pytest.approx(1, rel=1e-3)
    assert len(spoken) > 4 * RATE and len(np.unique(np.round(spoken / spoken.min(), 2))) > 2


def test_strength_zero_leaves_audio_alone(music: npt.NDArray[np.float32]) -> None:
    untouched = Augmentation().scaled(0)
    assert all(np.array_equal(augment(music, np.random.default_rng(seed), untouched), music) for seed in range(20))


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_left_out_does_not_happen(music: npt.NDArray[np.float32], name: str) -> None:
    never = dict.fromkeys(CHANGES, 0.0)
    alone = Augmentation(**(never | {name: 1.0}))
    talk = [np.sin(np.arange(RATE, dtype=np.float32))]
    assert not np.array_equal(augment(music, np.random.default_rng(1), alone, talk=talk), music)
    assert np.array_equal(augment(music, np.random.default_rng(1), alone.without(name), talk=talk), music)


def test_an_automatic_gain_raises_soft_passages_and_leaves_loud_ones(music: npt.NDArray[np.float32]) -> None:
    for seed in range(20):
        soft_later = np.concatenate([music, *[0.03 * music] * 4])
        heard = gain_controlled(soft_later, np.random.default_rng(seed), 12.0)
        assert 1.3 < rms(heard[-RATE:]) / rms(soft_later[-RATE:]) < 10 ** (12 / 20) + 0.01
        loud = slice(RATE // 2 + RATE // 10, RATE // 2 + RATE // 5)
        assert rms(heard[loud]) / rms(soft_later[loud]) < 1.6
    assert np.array_equal(gain_controlled(np.zeros(RATE, np.float32), np.random.default_rng(1), 12.0), np.zeros(RATE))


def test_the_input_is_not_written_to(music: npt.NDArray[np.float32]) -> None:
    before = music.copy()
    for seed in range(10):
        augment(music, np.random.default_rng(seed))
    assert np.array_equal(music, before)


def test_half_the_strength_stays_in_the_milder_half_of_a_range() -> None:
    rng, half = np.random.default_rng(0), Augmentation(strength=0.5)
    draws = [half.draw((50.0, 10.0), rng) for _ in range(200)]
    assert 30 <= min(draws) < 32 and 48 < max(draws) <= 50


def test_a_strength_beyond_one_is_refused() -> None:
    with pytest.raises(ValueError, match="strength is 2"):
        Augmentation(strength=2)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.floats(0.15, 0.9), st.floats(-3, 15))
def test_the_direct_path_of_a_room_is_one_at_sample_zero(seed: int, rt60_s: float, ratio_db: float) -> None:
    response = room_response(rt60_s, ratio_db, np.random.default_rng(seed))
    assert response[0] == 1
    assert not response[1 : int(0.002 * RATE)].any()
    assert 10 * np.log10(1 / np.sum(response[1:].astype(np.float64) ** 2)) == pytest.approx(ratio_db, abs=0.01)


def test_a_room_decays_as_its_rt60_says() -> None:
    response = room_response(0.6, 0.0, np.random.default_rng(5))
    early, late = (rms(response[int(s * RATE) : int((s + 0.1) * RATE)]) for s in (0.1, 0.4))
    assert 20 * np.log10(early / late) == pytest.approx(30, abs=6)


def test_an_onset_in_a_room_stays_at_its_sample(music: npt.NDArray[np.float32]) -> None:
    click = np.zeros(RATE, np.float32)
    click[4000] = 1
    heard = in_room(click, room_response(0.9, -3, np.random.default_rng(0)))
    assert np.abs(heard[:4000]).max() < 1e-6
    assert heard[4000] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("snr_db", [10.0, 30.0])
def test_noise_has_the_asked_level(music: npt.NDArray[np.float32], snr_db: float) -> None:
    for seed in range(12):
        noise = with_noise(music, np.random.default_rng(seed), snr_db) - music
        assert 20 * np.log10(rms(music) / rms(noise)) == pytest.approx(snr_db, abs=0.1)


def test_silence_gets_noise_too() -> None:
    assert rms(with_noise(np.zeros(RATE, np.float32), np.random.default_rng(0), 20.0)) == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize("colour", COLOURS)
def test_every_colour_of_noise_has_unit_level(
    colour: Callable[[int, np.random.Generator], npt.NDArray[np.float32]],
) -> None:
    noise = colour(2 * RATE, np.random.default_rng(0))
    assert noise.dtype == np.float32 and noise.shape == (2 * RATE,)
    assert rms(noise) == pytest.approx(1, rel=0.02)


def test_recorded_noise_is_placed_again_and_again() -> None:
    clip = np.ones(RATE // 2, np.float32)
    noise = clip_noise(20 * RATE, [clip], np.random.default_rng(0))
    assert rms(noise) == pytest.approx(1, rel=1e-3)
    assert np.count_nonzero(np.diff((noise > 0).astype(int)) == 1) >= 4


def test_equaliser_sections_reach_their_gain() -> None:
    def gain_db(section: npt.NDArray[np.float64], frequency: float) -> float:
        return float(20 * np.log10(np.abs(sosfreqz(section[None], [frequency], fs=RATE)[1][0])))

    assert gain_db(peak_section(1000, 6, 1), 1000) == pytest.approx(6, abs=0.01)
    assert gain_db(shelf_section(1000, -5, high=False), 20) == pytest.approx(-5, abs=0.05)
    assert gain_db(shelf_section(1000, 7, high=True), 7900) == pytest.approx(7, abs=0.05)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_every_microphone_falls_silent_after_a_click(seed: int) -> None:
    click = np.zeros(2 * RATE, np.float32)
    click[100] = 1
    heard = through_microphone(click, microphone(np.random.default_rng(seed)))
    assert not heard[:100].any()
    assert np.abs(heard[-RATE // 10 :]).max() < 1e-3


def test_overdrive_bends_peaks_and_spares_quiet_samples() -> None:
    audio = np.linspace(-1, 1, 1001, dtype=np.float32)
    bent = overdriven(audio, 6.0)
    assert np.all(np.diff(bent) > 0)
    assert bent[-1] < 0.6
    assert bent[505] == pytest.approx(audio[505], rel=1e-3)


def test_silence_stays_silence_at_any_level() -> None:
    assert not at_peak(np.zeros(10, np.float32), -3.0).any()
    assert not overdriven(np.zeros(10, np.float32), 9.0).any()


def test_missing_clips_name_their_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="esc10-noise"):
        load_clips(tmp_path, "fit")


@pytest.mark.data
def test_the_clips_of_a_fit_are_not_those_of_the_evaluation() -> None:
    data = Path("../shared/data")
    fit, evaluation = load_clips(data, "fit"), load_clips(data, "evaluate")
    assert (len(fit), len(evaluation)) == (32, 16)
    assert not {clip.tobytes() for clip in fit} & {clip.tobytes() for clip in evaluation}
