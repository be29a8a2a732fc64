"""Seams: a loss of sound is found, a stroke is not, and no ringing key is heard as struck at one."""

from __future__ import annotations

import numpy as np
import pytest

from device.assemble import hearing_of
from device.events import LOWEST_KEY, Note
from device.files.results.render import render
from device.hearing.beeps import Beeps
from device.hearing.false_strokes import Certainty
from device.hearing.gate import Gate
from device.hearing.gate_spec import GateSpec
from device.hearing.resample import Hops
from device.hearing.seams import DOUBTFUL_JUMP, JUMP, Seams
from device.hearing.transcriber import FRAME, ONSET
from device.system.paths import soundfonts
from tests.unit.helpers.shipped import bundle, demo, hear, notes

HOP, RATE = 256, 16_000
SECONDS = 24.0


def found(samples: np.ndarray) -> list[int]:
    """Numbers of the hops with a seam."""
    seams = Seams(HOP)
    hops = samples[: len(samples) // HOP * HOP].reshape(-1, HOP)
    return [number - seams.behind for number, hop in enumerate(hops) if seams.step(hop) > JUMP]


def cut(samples: np.ndarray, places: list[int], lost: int) -> np.ndarray:
    kept = np.ones(len(samples), bool)
    for place in places:
        kept[place : place + lost] = False
    return samples[kept]


def ringing(seconds: float = 2.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    partials = [np.sin(2 * np.pi * hz * h * t + h) / h**2 for hz in (262.0, 330.0, 392.0) for h in (1, 2, 3, 4)]
    return (0.1 * np.sum(partials, axis=0) * np.exp(-t)).astype(np.float32)


@pytest.mark.parametrize("lost", [11, 128, 1000])
@pytest.mark.parametrize("at", [9_000, 9_215, 9_216, 9_217, 9_344, 9_471])
def test_a_loss_is_found_in_its_hop_wherever_it_lies(at: int, lost: int) -> None:
    # the sound begins in full, so its first sample is a seam too
    places = [place for place in found(cut(ringing(), [at], lost)) if place > 0]
    assert places and all(abs(place - at // HOP) <= 1 for place in places)


def test_a_gap_of_silence_is_found_at_one_of_its_ends() -> None:
    samples = ringing()
    samples[9_000:9_300] = 0
    assert found(samples)


@pytest.mark.parametrize("again", [0.6, 1.0])
def test_a_stroke_that_begins_at_once_among_ringing_keys_is_no_sure_seam(again: float) -> None:
    # a digital piano's note begins within a millisecond
    samples, at = ringing(), 9_000
    samples[at:] += again * ringing()[: len(samples) - at]
    seams = Seams(HOP)
    ratios = [seams.step(hop) for hop in samples[: len(samples) // HOP * HOP].reshape(-1, HOP)]
    stroke = ratios[at // HOP + seams.behind]
    assert DOUBTFUL_JUMP < stroke <= JUMP


def test_no_seam_is_found_in_a_piano_in_noise_or_in_silence() -> None:
    assert found(demo(SECONDS)) == []
    assert found(np.random.default_rng(0).normal(0, 0.1, 4 * RATE).astype(np.float32)) == []
    assert found(np.zeros(RATE, np.float32)) == []
    assert found(np.full(RATE, np.nan, np.float32)) == []


def test_sound_without_a_seam_is_heard_bit_for_bit_as_without_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = hear(hearing_of(bundle()), demo(SECONDS))
    monkeypatch.setattr(Seams, "step", lambda *_: 0.0)
    assert heard == hear(hearing_of(bundle()), demo(SECONDS)) and len(notes(heard)) > 30


def tune(lost: float) -> np.ndarray:
    """Chords of a piano, 16 s at the model's rate. Every 0.53 s, `lost` seconds of the 44.1 kHz sound are missing.

    No loss lies within 0.1 s of a stroke: a key that is struck again at a loss cannot be told from one that rings on.
    """
    pitches = [(60, 64, 67), (62, 65, 69), (59, 62, 67), (72,), (60, 65, 69), (74, 77), (64, 67, 72)]
    strikes = [Note(0.5 + 0.6 * i, 1.08 + 0.6 * i, p, 80, 1.0, 0.0, "right") for i in range(24) for p in pitches[i % 7]]
    # the best installed soundfont differs from machine to machine; this one is a package of the project
    font = next((font for font in soundfonts(".sf2") if font.name == "TimGM6mb.sf2"), None)
    sound = render(strikes, 44_100, font).mean(axis=1, dtype=np.float32)
    places = list(range(44_100 * 2, len(sound) - 44_100, int(0.53 * 44_100)))
    places = [place for place in places if 0.1 < (place / 44_100 - 0.5) % 0.6 < 0.5]
    hops = Hops(44_100, RATE, HOP).push(0.5 * cut(sound, places, round(lost * 44_100)))
    return np.concatenate([hop for hop, _ in hops])


@pytest.mark.parametrize("lost", [0.0007, 0.003, 0.0053])
def test_most_lost_blocks_are_no_strokes_and_no_stroke_is_lost(lost: float, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = tune(0), tune(lost)
    struck = len(notes(hear(hearing_of(bundle()), whole)))
    held = len(notes(hear(hearing_of(bundle()), broken)))
    monkeypatch.setattr(Seams, "step", lambda *_: 0.0)
    without = len(notes(hear(hearing_of(bundle()), broken)))
    assert struck > 45 and without > struck + 8
    # a loss at which the wave hardly jumps is not found, and is heard as before
    assert struck <= held <= struck + (without - struck) / 10


def test_a_doubtful_seam_holds_back_a_key_unless_it_becomes_louder(monkeypatch: pytest.MonkeyPatch) -> None:
    beeps = Beeps(HOP, HOP)
    monkeypatch.setattr(beeps, "waits", lambda *_: 0)
    for louder in (False, True):
        monkeypatch.setattr(beeps, "rises", lambda *_, rises=louder: rises)
        gate = Gate(GateSpec(), 0.016, 0)
        strike, ring = np.zeros((88, 4), np.float32), np.zeros((88, 4), np.float32)
        strike[40, [ONSET, FRAME]] = ring[40, FRAME] = 0.9
        assert len(notes(gate.step(strike, set(), 0.0, beeps))) == 1
        for _ in range(20):
            assert gate.step(ring, set(), 0.0, beeps) == []
        gate.seam(0, "doubtful")
        assert len(notes(gate.step(strike, set(), 0.0, beeps))) == louder


@pytest.mark.parametrize("again", [0.0, 1.5])
@pytest.mark.parametrize("certainty", ["reported", "found", "doubtful"])
def test_a_stroke_at_a_seam_that_is_not_reported_passes_if_its_partials_become_much_louder(
    again: float, certainty: Certainty
) -> None:
    t = np.arange(2 * RATE) / RATE
    string = sum(np.sin(2 * np.pi * 659.26 * n * t) / n for n in (1, 2, 3, 4)) * np.exp(-t)
    key, hop, frames = 76 - LOWEST_KEY, 40, 3
    sound = 0.05 * string
    sound[hop * HOP :] += again * sound[: len(sound) - hop * HOP]
    beeps, gate = Beeps(RATE, HOP), Gate(GateSpec(), 0.016, 0)
    heard = 0
    for number, samples in enumerate(sound[: (hop + frames + 1) * HOP].reshape(-1, HOP)):
        posterior = np.zeros((88, 4), np.float32)
        posterior[key, FRAME] = 0.9
        posterior[key, ONSET] = 0.9 * (number in (2, hop + frames))
        beeps.step(samples.astype(np.float32))
        if number == hop + 1:
            gate.seam(1, certainty)
        heard += len(notes(gate.step(posterior, set(), 0.0, beeps)))
    assert heard == (2 if again and certainty != "reported" else 1)


def test_the_tone_of_a_key_that_is_struck_again_rises_and_one_that_rings_falls() -> None:
    t = np.arange(RATE) / RATE
    ring = (0.2 * np.sin(2 * np.pi * 880 * t) * np.exp(-t)).astype(np.float32)
    again = ring.copy()
    again[RATE // 2 :] += 0.5 * ring[: RATE // 2]
    for sound, rises in ((ring, False), (again, True)):
        beeps = Beeps(RATE, HOP)
        for hop in sound[: (RATE // 2 // HOP + 3) * HOP].reshape(-1, HOP):
            beeps.step(hop)
        assert beeps.rises(81 - LOWEST_KEY, 3) == rises


def test_after_a_reported_loss_a_ringing_key_is_not_struck_and_another_key_is() -> None:
    gate = Gate(GateSpec(), 0.016, 0)
    quiet, both = np.zeros((88, 4), np.float32), np.zeros((88, 4), np.float32)
    first = quiet.copy()
    first[40, [ONSET, FRAME]] = 0.9
    ring = quiet.copy()
    ring[40, FRAME] = 0.9
    both[[40, 47], ONSET] = both[[40, 47], FRAME] = 0.9
    assert len(notes(gate.step(first, set(), 0.0))) == 1
    for _ in range(20):
        assert gate.step(ring, set(), 0.0) == []
    gate.seam(0, "reported")
    assert [note.pitch for note in notes(gate.step(both, set(), 0.0))] == [47 + 21]
    for _ in range(12):
        assert notes(gate.step(ring, set(), 0.0)) == []
    assert [note.pitch for note in notes(gate.step(first, set(), 0.0))] == [40 + 21]
