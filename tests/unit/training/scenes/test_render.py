"""Rendering notes from a bank, on a small bank of decaying sines made here."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import UserError
from training.pianos.banks import Bank, bank_names, load_bank, onset_sample, render_bank, sounding_seconds
from training.pianos.instruments import INSTRUMENTS, Instrument
from training.pianos.renderer import RATE
from training.scenes.render import (
    Played,
    RenderOptions,
    damping_seconds,
    note_level_db,
    released,
    render,
)

SECONDS = 2.0
LEAD_IN = 700
TINY = Instrument("tiny", "sines", False, "none", velocities=(40, 80, 120))
HELD_OUT = Instrument("secret", "secret sines", True, "none", heldout=True, velocities=(80,))


def sine_note(pitch: int, velocity: int, seconds: float) -> npt.NDArray[np.float32]:
    time_s = np.arange(int(seconds * RATE)) / RATE
    tone = np.cos(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time_s) * np.exp(-1.5 * time_s)
    return np.concatenate([np.zeros(LEAD_IN), tone * (velocity / 127) ** 2]).astype(np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    for instrument in (TINY, HELD_OUT):
        render_bank(instrument, sine_note, folder / "banks", SECONDS)
    return folder


@pytest.fixture(scope="module")
def bank(cache: Path) -> Bank:
    return load_bank(cache, "tiny")


def level(audio: npt.NDArray[np.float32], begin_s: float, end_s: float) -> float:
    return float(np.sqrt(np.mean(audio[int(begin_s * RATE) : int(end_s * RATE)] ** 2)))


def frequency(audio: npt.NDArray[np.float32]) -> float:
    size = 1 << 19
    return float(np.argmax(np.abs(np.fft.rfft(audio * np.hanning(len(audio)), size)))) * RATE / size


def test_a_bank_loses_its_lead_in_within_a_millisecond(bank: Bank) -> None:
    onsets = [onset_sample(np.asarray(note, np.float32)) for key in bank.samples for note in key]
    assert max(onsets) < RATE / 1000


def test_a_bank_keeps_the_levels_between_velocities(bank: Bank) -> None:
    assert np.allclose(np.diff(bank.level_db, axis=1), [40 * np.log10(2), 40 * np.log10(1.5)], atol=0.1)


def test_the_loudest_sample_of_a_bank_is_full_scale(bank: Bank) -> None:
    assert np.abs(bank.samples).max() == 32767


def test_an_onset_is_found_behind_a_long_lead_in() -> None:
    audio = np.concatenate([np.full(20_000, 1e-4), sine_note(60, 100, 1.0)[LEAD_IN:]]).astype(np.float32)
    assert abs(onset_sample(audio) - 20_000) <= 8


def test_sounding_ends_55_db_down() -> None:
    assert sounding_seconds(sine_note(60, 100, 6.0)[LEAD_IN:]) == pytest.approx(55 / 20 * np.log(10) / 1.5, abs=0.04)


def test_a_held_out_bank_is_refused_for_a_fit(cache: Path) -> None:
    with pytest.raises(UserError, match="secret is held out"):
        load_bank(cache, "secret")


def test_a_held_out_bank_serves_evaluation_alone(cache: Path) -> None:
    assert load_bank(cache, "secret", "evaluate").heldout
    assert bank_names(cache) == ["tiny"]
    assert bank_names(cache, "evaluate") == ["secret"]


def test_salamander_is_held_out_and_no_other_bank_shares_its_timbre() -> None:
    held_out = {"salamander", "timgm_organ", "timgm_strings"}
    assert {i.name for i in INSTRUMENTS if i.heldout} == held_out
    assert {i.name for i in INSTRUMENTS if i.timbre in ("salamander", "timgm-organ", "timgm-strings")} == held_out


def test_a_missing_bank_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="python -m training banks"):
        load_bank(tmp_path, "tiny")


def test_a_bank_of_another_version_counts_as_missing(cache: Path, tmp_path: Path) -> None:
    about = json.loads((cache / "banks" / "tiny.json").read_text())
    (tmp_path / "banks").mkdir()
    (tmp_path / "banks" / "tiny.json").write_text(json.dumps({**about, "version": -1}))
    assert bank_names(tmp_path) == []


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1.4), st.integers(48, 96), st.sampled_from([-20.0, 0.0, 13.0]))
def test_a_note_begins_within_a_millisecond_of_its_onset(bank: Bank, onset_s: float, pitch: int, cents: float) -> None:
    note = Played(onset_s, onset_s + 0.5, pitch, 90)
    audio = render([note], bank, 2.0, options=RenderOptions(detune_cents=cents)).audio
    assert abs(onset_sample(audio) / RATE - onset_s) < 1e-3


def test_nothing_sounds_before_the_onset(bank: Bank) -> None:
    assert not render([Played(0.5, 1.0, 60, 80)], bank, 1.0).audio[: int(0.5 * RATE)].any()


def test_the_damper_ends_the_sound(bank: Bank) -> None:
    result = render([Played(0.0, 0.5, 60, 80)], bank, 2.0)
    silent_from = 0.5 + 8 * damping_seconds(60)
    assert level(result.audio, 0.3, 0.5) > 0
    assert not result.audio[int(silent_from * RATE) :].any()
    assert result.damped_s[0] == result.end_s[0] == 0.5


def test_low_keys_are_damped_more_slowly(bank: Bank) -> None:
    tails = [
        level(audio, 0.6, 0.65) / level(audio, 0.4, 0.5)
        for audio in (render([Played(0.0, 0.5, pitch, 80)], bank, 1.0).audio for pitch in (30, 80))
    ]
    assert tails[0] > 2 * tails[1]


def test_the_highest_keys_have_no_damper(bank: Bank) -> None:
    result = render([Played(0.0, 0.2, 96, 80)], bank, 1.0)
    assert level(result.audio, 0.8, 1.0) > 0.2 * level(result.audio, 0.0, 0.2)


def test_the_pedal_holds_a_note_until_it_rises(bank: Bank) -> None:
    result = render([Played(0.0, 0.2, 60, 80)], bank, 2.0, pedal=[(0.1, 1.0)])
    assert result.damped_s[0] == 1.0
    assert level(result.audio, 0.8, 1.0) > 10 * level(result.audio, 1.3, 1.5)


def test_a_pedal_pressed_after_the_key_rose_holds_nothing() -> None:
    ends = released(np.array([0.2, 0.5, 0.9]), [(0.3, 0.6), (0.7, 0.8)])
    assert ends.tolist() == [0.2, 0.6, 0.9]


def test_a_pedal_pressed_again_as_it_rises_holds_on() -> None:
    assert released(np.array([0.2]), [(0.6, 0.9), (0.1, 0.6)]).tolist() == [0.9]


def test_a_struck_string_sounds_only_until_it_is_struck_again(bank: Bank) -> None:
    notes = [Played(0.0, 0.2, 60, 80), Played(0.6, 0.8, 60, 80)]
    assert render(notes, bank, 2.0, pedal=[(0.1, 1.5)]).damped_s.tolist() == [0.6, 1.5]


def test_a_note_ends_with_its_key_whatever_the_pedal_does(bank: Bank) -> None:
    notes = [Played(0.0, 0.2, 60, 80), Played(0.6, 0.8, 60, 80)]
    assert render(notes, bank, 2.0, pedal=[(0.1, 1.5)]).end_s.tolist() == [0.2, 0.8]


def test_a_damper_that_falls_late_leaves_the_note_its_end(bank: Bank) -> None:
    late = render([Played(0.0, 0.5, 60, 80)], bank, 2.0, options=RenderOptions(damper_lag_s=0.03))
    assert late.damped_s[0] == pytest.approx(0.53)
    assert late.end_s[0] == 0.5


def test_under_the_pedal_the_other_strings_ring_along(bank: Bank) -> None:
    note, options, bank = [Played(0.0, 0.2, 60, 80)], RenderOptions(open_strings=0), replace(bank, acoustic=True)
    alone, dry = render(note, bank, 2.0, pedal=[(0.1, 1.0)]).audio, render(note, bank, 2.0, options=options).audio
    rung = render(note, bank, 2.0, pedal=[(0.1, 1.0)], options=options).audio - alone
    assert np.array_equal(dry, render(note, bank, 2.0).audio), "without the pedal all strings are damped"
    assert not rung[: int(0.1 * RATE)].any()
    assert 0.001 < level(rung, 0.3, 0.9) / level(alone, 0.3, 0.9) < 0.3
    assert level(rung, 1.5, 2.0) < 0.01 * level(rung, 0.3, 0.9), "the dampers silence them"


def test_a_note_held_on_ends_where_it_has_faded(bank: Bank) -> None:
    result = render([Played(0.0, 4.0, 60, 80)], bank, 4.0)
    assert result.damped_s[0] == 4.0
    assert result.end_s[0] <= SECONDS


def test_a_note_begun_earlier_is_heard_from_zero_on(bank: Bank) -> None:
    whole = render([Played(0.5, 1.5, 60, 80)], bank, 2.0).audio
    late = render([Played(-0.25, 0.75, 60, 80)], bank, 1.25).audio
    assert np.array_equal(late, whole[int(0.75 * RATE) :])


@given(st.integers(1, 126))
def test_level_rises_with_velocity(bank: Bank, velocity: int) -> None:
    assert note_level_db(bank, 40, velocity + 1) > note_level_db(bank, 40, velocity)


def test_rendered_level_follows_velocity(bank: Bank) -> None:
    levels = [level(render([Played(0.0, 1.0, 60, v)], bank, 0.5).audio, 0.0, 0.25) for v in range(10, 128, 9)]
    assert levels == sorted(levels)
    assert levels[-1] > 50 * levels[0]


def test_narrower_dynamics_bring_soft_notes_closer(bank: Bank) -> None:
    def span(dynamics: float) -> float:
        soft, loud = (
            level(render([Played(0.0, 1.0, 60, v)], bank, 0.3, options=RenderOptions(dynamics=dynamics)).audio, 0, 0.25)
            for v in (40, 120)
        )
        return loud / soft

    assert span(0.5) == pytest.approx(span(1.0) ** 0.5, rel=1e-3)


def test_a_tilt_is_what_the_highest_key_is_louder_by_than_the_lowest(bank: Bank) -> None:
    def heard(pitch: int, tilt_db: float) -> float:
        return level(
            render([Played(0.0, 1.0, pitch, 80)], bank, 0.3, options=RenderOptions(tilt_db=tilt_db)).audio, 0, 0.25
        )

    lowest, highest = (20 * np.log10(heard(pitch, -6.0) / heard(pitch, 0.0)) for pitch in (21, 108))
    assert highest - lowest == pytest.approx(-6.0, abs=0.05)


@pytest.mark.parametrize("cents", [-20.0, 15.0])
def test_detuning_moves_the_frequency(bank: Bank, cents: float) -> None:
    audio = render([Played(0.0, 1.5, 69, 80)], bank, 1.5, options=RenderOptions(detune_cents=cents)).audio
    assert 1200 * np.log2(frequency(audio) / 440) == pytest.approx(cents, abs=0.5)


def test_each_key_can_have_its_own_tuning(bank: Bank) -> None:
    options = RenderOptions(key_cents=10.0)
    off = [
        1200 * np.log2(frequency(render([Played(0, 1.5, p, 80)], bank, 1.5, options=options).audio) / f)
        for p, f in ((69, 440.0), (81, 880.0))
    ]
    assert abs(off[0] - off[1]) > 1


def test_the_same_seed_gives_the_same_audio(bank: Bank) -> None:
    def once(seed: int) -> npt.NDArray[np.float32]:
        rng = np.random.default_rng(seed)
        notes = [Played(0.1 * i, 0.1 * i + 0.2, 50 + i, 70) for i in range(8)]
        return render(notes, bank, 1.5, options=RenderOptions.drawn(rng), rng=rng).audio

    assert np.array_equal(once(3), once(3))
    assert not np.array_equal(once(3), once(4))


def test_no_notes_are_silence_of_the_asked_length(bank: Bank) -> None:
    result = render([], bank, 1.25)
    assert result.audio.shape == (20_000,) and not result.audio.any()
    assert result.end_s.shape == (0,)
