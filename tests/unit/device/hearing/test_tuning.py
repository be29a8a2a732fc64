"""The tuning of the piano is measured, the front end moves to it, and a piano in tune is heard as before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.assemble import hearing_of
from device.events import Note
from device.files.results.render import render
from device.hearing import tuning
from device.hearing.features import Features, FeatureSpec
from device.hearing.resample import Hops
from device.hearing.tuning import DEAD_CENTS, TuningEstimate, other_reading
from tests.unit.helpers.shipped import bundle, demo, hear, notes, share_found

HOP, RATE = 256, 16_000
SECONDS = 24.0


def detuned(samples: np.ndarray, cents: float) -> np.ndarray:
    """Return `samples` played slower or faster, so that every frequency moves by `cents`."""
    ratio = 2 ** (cents / 1200)
    places = np.arange(int(len(samples) / ratio)) * ratio
    moved = np.interp(places, np.arange(len(samples)), samples).astype(np.float32)
    return moved[: len(moved) // HOP * HOP]


def estimate_of(samples: np.ndarray) -> TuningEstimate:
    return measured(TuningEstimate(FeatureSpec()), samples)[0]


def measured(estimate: TuningEstimate, samples: np.ndarray) -> tuple[TuningEstimate, float | None]:
    """Let `estimate` measure `samples`. Return it, and the second in which it first asked to change from 0 cents."""
    features, asked_s = Features(FeatureSpec()), None
    for number, hop in enumerate(samples[: len(samples) // HOP * HOP].reshape(-1, HOP)):
        features.step(hop)
        if estimate.step(features) and asked_s is None and estimate.better(0.0) is not None:
            asked_s = number * HOP / RATE
    return estimate, asked_s


@pytest.mark.parametrize("cents", [-50, -40, -25, 0, 25, 40])
def test_the_tuning_of_a_piano_is_measured(cents: float) -> None:
    at_zero = estimate_of(demo(SECONDS)).cents()
    moved = estimate_of(detuned(demo(SECONDS), cents)).cents()
    assert at_zero is not None and moved is not None
    assert abs(at_zero) < DEAD_CENTS and moved - at_zero == pytest.approx(cents, abs=3)


def test_a_piano_in_tune_changes_nothing() -> None:
    assert estimate_of(demo(SECONDS)).better(0.0) is None


def test_a_piano_that_is_in_tune_again_is_heard_at_440() -> None:
    assert estimate_of(demo(SECONDS)).better(-40.0) == 0.0


def test_a_piano_nearly_half_a_semitone_off_is_taken_for_what_it_is() -> None:
    for cents in (-46.0, -43.0, 40.0, 43.0):
        measured = estimate_of(detuned(demo(SECONDS), cents)).cents()
        assert measured is not None and measured == pytest.approx(cents, abs=6)


WHITE = [60, 62, 64, 65, 67, 69, 71, 72] * 3


def test_white_keys_tell_half_a_semitone_flat_from_sharp() -> None:
    assert other_reading(-48.0, [pitch + 1 for pitch in WHITE]) == 52.0
    assert other_reading(51.0, [pitch - 1 for pitch in WHITE]) == -49.0
    assert other_reading(50.0, [pitch + 1 for pitch in WHITE]) == -50.0  # D at -50 rather than D flat at 50
    assert other_reading(50.0, [pitch + 1 for pitch in WHITE], least_odds=4.0) is None
    for used, pitches in (
        (-48.0, WHITE),  # the names are right as they are
        (-30.0, [pitch + 1 for pitch in WHITE]),  # the tuning is not near to half a semitone
        (-45.0, [pitch + 3 for pitch in WHITE]),  # five cents within half a semitone count more than one black key
        (-48.0, [pitch + 1 for pitch in WHITE][:20]),  # too few notes
        (-48.0, [61] * 30),  # one key, as in a count-in
        (-50.0, list(range(48, 96))),  # all keys alike: old strings are flat
    ):
        assert other_reading(used, pitches) is None
    assert other_reading(50.0, list(range(48, 96))) == -50.0


def test_a_live_hearing_moves_by_a_semitone_where_the_names_speak_for_it() -> None:
    tune = [72, 74, 76, 77, 76, 74, 72, 79] * 4
    strikes = [Note(0.35 * i, 0.35 * i + 0.25, pitch, 80, 1.0, 0.0, "right") for i, pitch in enumerate(tune)]
    sound = render(strikes, 44_100).mean(axis=1, dtype=np.float32) * 0.5
    hops = Hops(round(44_100 * 2 ** (48 / 1200)), RATE, HOP).push(sound)
    hearing = hearing_of(bundle(), tuning=-52.0, adapts=True)
    heard = notes(hear(hearing, np.concatenate([hop for hop, _ in hops])))
    assert hearing.tuning == pytest.approx(48, abs=6)
    assert [note.pitch for note in heard][-3:] == tune[-3:]


@pytest.mark.parametrize("used", [-56.0, 44.0])
def test_a_tuning_that_is_used_goes_on_where_it_was(used: float) -> None:
    cents = estimate_of(detuned(demo(SECONDS), used)).cents(used)
    assert cents is not None and cents == pytest.approx(used, abs=10)


def test_noise_silence_a_hum_and_bad_samples_have_no_tuning() -> None:
    seconds = np.arange(10 * RATE) / RATE
    hum = sum(np.sin(2 * np.pi * 50 * n * seconds) / n for n in range(1, 20)).astype(np.float32) / 10  # type: ignore[union-attr]
    noise = np.random.default_rng(0).normal(0, 0.1, len(seconds)).astype(np.float32)
    for samples in (hum, noise, np.zeros_like(hum), np.full_like(hum, np.nan)):
        assert estimate_of(samples).cents() is None


@pytest.mark.parametrize("tuning", [-40.0, 30.0])
def test_a_moved_front_end_sees_a_detuned_tone_as_the_usual_one_sees_a_tone_in_tune(tuning: float) -> None:
    spec = FeatureSpec()
    seconds = np.arange(2 * RATE) / RATE
    ratio = 2 ** (tuning / 1200)
    usual, moved, unmoved = (
        features.frames(np.sin(2 * np.pi * 440 * r * seconds).astype(np.float32) * 0.3)[-20:, :, 0].argmax(axis=1)
        for features, r in ((Features(spec), 1.0), (Features(spec, tuning), ratio), (Features(spec), ratio))
    )
    assert np.array_equal(usual, moved) and not np.array_equal(usual, unmoved)
    tuned = Features(spec)
    tuned.tune(tuning)
    hops = 1
    while not tuned.tuned():
        hops += 1
    assert hops > 10  # so few bands are made in a hop that no hop is late
    samples = demo(1.0)
    assert np.array_equal(tuned.frames(samples), Features(spec, tuning).frames(samples))


def test_a_flat_piano_is_heard_as_well_as_one_in_tune() -> None:
    wanted = notes(hear(hearing_of(bundle()), demo(SECONDS)))
    flat, ratio = detuned(demo(SECONDS), -50), 2 ** (-50 / 1200)

    def found(tuning: float) -> float:
        heard = notes(hear(hearing_of(bundle(), tuning=tuning), flat))
        # the flat sound is also slower
        return share_found(wanted, [replace(note, onset_s=note.onset_s * ratio) for note in heard], 0.05)

    assert found(-50.0) > 0.97 and found(0.0) < 0.9


def test_a_live_hearing_finds_the_tuning_by_itself_and_keeps_it_at_a_reset() -> None:
    hearing = hearing_of(bundle(), adapts=True)
    hear(hearing, detuned(demo(10.0), -40))
    assert hearing.tuning == pytest.approx(-40, abs=9)
    hearing.reset()
    assert hearing.tuning == pytest.approx(-40, abs=9)


def test_a_live_hearing_of_a_piano_in_tune_hears_the_same_notes_as_one_that_does_not_measure() -> None:
    first = hear(hearing_of(bundle(), adapts=True), demo(10.0))
    assert first == hear(hearing_of(bundle()), demo(10.0)) and notes(first)


def test_a_settled_estimate_takes_a_quarter_of_the_spectra_and_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = np.tile(detuned(demo(SECONDS), 20.0), 5)
    seldom = estimate_of(sound)
    monkeypatch.setattr(tuning, "_EVERY_SETTLED", tuning._EVERY)
    often = estimate_of(sound)
    after = (often.spectra - tuning._SETTLED) / (seldom.spectra - tuning._SETTLED)
    assert after == pytest.approx(4, abs=0.3)
    assert seldom.cents() == pytest.approx(often.cents(), abs=1)


def test_a_settled_estimate_follows_another_piano_as_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    in_tune, sharp = np.tile(demo(SECONDS), 4), np.tile(detuned(demo(SECONDS), 30.0), 4)

    def noticed_s() -> float:
        estimate = estimate_of(in_tune)
        assert estimate.spectra >= tuning._SETTLED and estimate.better(0.0) is None
        asked_s = measured(estimate, sharp)[1]
        assert asked_s is not None, "the other piano was never noticed"
        return asked_s

    seldom_s = noticed_s()
    monkeypatch.setattr(tuning, "_EVERY_SETTLED", tuning._EVERY)
    assert seldom_s == pytest.approx(noticed_s(), abs=3)
