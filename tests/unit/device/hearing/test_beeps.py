"""A metronome's beep is no note, and no note of a piano is taken for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import pytest

from device.assemble import hearing_of, left_hand_of
from device.engine import Engine
from device.events import LOWEST_KEY, Beat, Note
from device.files.results.render import render
from device.hearing.beeps import FALLING_WAITS, LOWEST_BEEP, PURE_WAITS, TRUSTED_NOTES, WATCHED_FRAMES, Beeps
from device.hearing.resample import Hops
from device.make_clock import make_clock
from tests.unit.helpers.shipped import bundle, demo, hear, notes, share_found
from training.hearing_figures.metronomes import BAR, METRONOMES

HOP, RATE = 256, 16_000
SECONDS = 24.0
A5 = 81 - LOWEST_KEY
Make = Callable[[float, float], np.ndarray]
"""Makes a beep of some hertz and seconds."""
BEAT_S, FIRST_S = 0.6, 0.5
"""The tempo of the demo and the time of its first count."""


def beep(hz: float, seconds: float, level: float = 0.25) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    edges = np.minimum(1, np.minimum(t, seconds - t) / 0.002)
    return (level * edges * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def square(hz: float, seconds: float, level: float = 0.2) -> np.ndarray:
    """Return a beep of a cheap metronome: a square wave that begins and ends with a click."""
    t = np.arange(int(seconds * RATE)) / RATE
    odd = [n for n in range(1, 40, 2) if n * hz < RATE / 2]
    return (level * 4 / np.pi * sum(np.sin(2 * np.pi * n * hz * t) / n for n in odd)).astype(np.float32)


def with_beeps(
    samples: np.ndarray, hz: float, seconds: float, late_s: float, until_s: float = 1e9, make: Make = beep
) -> np.ndarray:
    mixed, sound = samples.copy(), make(hz, seconds)
    for at in np.arange(FIRST_S + late_s, min(until_s, len(samples) / RATE - 1), BEAT_S):
        begin = round(at * RATE)
        mixed[begin : begin + len(sound)] += sound
    return mixed


def string(hz: float, decay_s: float = 0.5, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(int(seconds * RATE)) / RATE
    partials = sum(np.sin(2 * np.pi * hz * n * t) / n**1.5 for n in (1, 2, 3, 4))
    return (0.1 * partials * np.exp(-t / decay_s)).astype(np.float32)


def verdict(sound: np.ndarray, frames: int, key: int = A5) -> int | None:
    """Return what is said of a note of `key`, `frames` after its onset, if `sound` is what is heard."""
    beeps = Beeps(RATE, HOP)
    for hop in np.concatenate([sound, np.zeros(RATE, np.float32)])[: frames * HOP].reshape(-1, HOP):
        beeps.step(hop)
    return beeps.waits(key, frames)


@pytest.mark.parametrize("seconds", [0.01, 0.03, 0.06, 0.1])
@pytest.mark.parametrize("hz", [440.0, 880.0, 1760.0])
def test_a_tone_that_ends_at_once_is_a_beep(hz: float, seconds: float) -> None:
    key = 81 - LOWEST_KEY + round(12 * np.log2(hz / 880))
    assert verdict(beep(hz, seconds), WATCHED_FRAMES, key) is None


@pytest.mark.parametrize("decay_s", [0.008, 0.015])
def test_a_click_that_fades_faster_than_a_string_is_a_beep(decay_s: float) -> None:
    t = np.arange(int(0.1 * RATE)) / RATE
    click = (0.3 * np.sin(2 * np.pi * 880.0 * t) * np.exp(-t / decay_s)).astype(np.float32)
    assert verdict(click, WATCHED_FRAMES) is None


@pytest.mark.parametrize(("hz", "seconds", "decay_s"), [(880.0, 0.07, 0.1), (700.0, 0.09, 0.12), (988.0, 0.05, 0.06)])
def test_a_beep_that_fades_before_it_ends_at_once_waits_and_is_none(hz: float, seconds: float, decay_s: float) -> None:
    key = 81 - LOWEST_KEY + round(12 * np.log2(hz / 880))
    fading = beep(hz, seconds)
    fading *= np.exp(-np.arange(len(fading)) / RATE / decay_s).astype(np.float32)
    assert all(verdict(fading, frames, key) != 0 for frames in range(3, WATCHED_FRAMES))
    assert verdict(fading, WATCHED_FRAMES, key) is None


@pytest.mark.parametrize("frames", [3, 6, WATCHED_FRAMES])
@pytest.mark.parametrize("decay_s", [0.05, 0.2, 1.0])
def test_a_string_that_rings_or_is_damped_is_none_and_does_not_wait(frames: int, decay_s: float) -> None:
    waits = verdict(string(880.0, decay_s), frames)
    assert waits is not None and waits <= FALLING_WAITS


def test_a_pure_tone_waits_for_its_end_and_a_low_note_never_does() -> None:
    sine = beep(880.0, 1.0)
    waits = verdict(sine, 4)
    assert waits is not None and waits > FALLING_WAITS
    assert verdict(sine, 4, LOWEST_BEEP - 1) == 0


def after_strings(count: int) -> Beeps:
    """Return what has heard `count` strings, the notes of a piano, and no beep."""
    beeps = Beeps(RATE, HOP)
    for _ in range(count):
        for frame, hop in enumerate(string(880.0)[: (WATCHED_FRAMES + 6) * HOP].reshape(-1, HOP)):
            beeps.step(hop)
            if frame == 5:
                beeps.passed(A5, 6)
    return beeps


def test_after_many_strings_no_tone_waits_until_a_beep_was_heard() -> None:
    def waits(beeps: Beeps) -> int | None:
        for hop in beep(880.0, 1.0)[: 4 * HOP].reshape(-1, HOP):
            beeps.step(hop)
        return beeps.waits(A5, 4)

    few, many = after_strings(TRUSTED_NOTES - 1), after_strings(TRUSTED_NOTES)
    assert waits(few) and waits(many) == 0
    many.passed(A5, 4)
    for hop in np.zeros(WATCHED_FRAMES * HOP, np.float32).reshape(-1, HOP):
        many.step(hop)
    assert waits(many), "the tone ended at once, so it was a beep"


def test_a_metronome_that_starts_in_mid_piece_gives_few_notes() -> None:
    """The piano was trusted, so its first beeps pass. They are learned, and the others are no notes."""
    samples = np.concatenate([demo(SECONDS), demo(SECONDS / 2)])
    assert sum(note.pitch >= 60 for note in heard_in_demo(SECONDS)) > TRUSTED_NOTES
    left_over(notes(hear(hearing_of(bundle()), samples)), with_beeps(samples, 880.0, 0.05, SECONDS + 0.17), 2)


@pytest.mark.parametrize("make", [beep, square])
def test_a_pure_tone_that_keeps_its_level_waits_until_it_ends_or_decays(make: Make) -> None:
    t = np.arange(RATE) / RATE
    assert verdict(make(880.0, 1.0), 4, A5) == WATCHED_FRAMES - 4
    beeps = Beeps(RATE, HOP)
    fading = (make(880.0, 1.0) * np.exp(-3 * t)).astype(np.float32)
    for hop in fading[: 8 * HOP].reshape(-1, HOP):
        beeps.step(hop)
    assert beeps.decays(A5, 8, waited=4)


def test_a_tone_that_ends_just_when_its_wait_is_over_waits_on() -> None:
    """Its level has fallen by too little to be an end, and by too much to be steady."""
    beeps, frames = Beeps(RATE, HOP), 8
    for hop in np.concatenate([beep(880.0, 0.118), np.zeros(RATE, np.float32)])[: frames * HOP].reshape(-1, HOP):
        beeps.step(hop)
    assert not beeps.is_beep(A5, frames)
    assert not beeps.decays(A5, frames, waited=PURE_WAITS)


def test_a_beep_is_learned_once_however_often_it_is_looked_at() -> None:
    beeps = Beeps(RATE, HOP)
    for hop in np.concatenate([beep(880.0, 0.1), np.zeros(RATE, np.float32)])[: 12 * HOP].reshape(-1, HOP):
        beeps.step(hop)
    assert beeps.is_beep(A5, 12) and beeps.is_beep(A5, 12) and not beeps.beeping


@pytest.mark.parametrize(
    ("hz", "pitch", "late_s", "make", "clicks"),
    [(880.0, 81, 0.3, square, 4), (880.0, 81, 0.17, beep, 0), (1500.0, 90, 0.17, beep, 0)],
)
def test_the_first_long_beeps_are_no_notes(hz: float, pitch: int, late_s: float, make: Make, clicks: int) -> None:
    """A square beep ends with a click, which can strike a ringing key again. Its own key is struck once at most."""
    left = left_over(heard_in_demo(4.0), with_beeps(demo(4.0), hz, 0.12, late_s, make=make), 1 + clicks)
    assert sum(note.pitch == pitch for note in left) <= 1


def test_two_strings_that_beat_are_no_beep() -> None:
    for hz in (3, 7, 15, 25, 40):
        assert verdict(string(880.0, 1.0) + string(880.0 + hz, 1.0), WATCHED_FRAMES) is not None


@pytest.mark.parametrize(
    ("hz", "seconds", "late_s", "most"),
    [
        (880.0, 0.03, 0.0, 0),
        (880.0, 0.03, 0.3, 0),
        (1000.0, 0.05, 0.0, 0),
        (1760.0, 0.03, 0.05, 1),
        (1200.0, 0.03, 0.0, 0),
    ],
)
def test_beeps_beside_a_piano_are_no_notes_and_no_note_is_lost(
    hz: float, seconds: float, late_s: float, most: int
) -> None:
    left_over(heard_in_demo(SECONDS), with_beeps(demo(SECONDS), hz, seconds, late_s), most)


def test_beeps_that_end_with_a_click_strike_no_key_that_rings() -> None:
    left_over(heard_in_demo(15.0), with_beeps(demo(15.0), 440.0, 0.06, 0.17, make=square), 4)


@pytest.mark.parametrize(("name", "most"), [("wood block", 4), ("click of a program", 4), ("tick of an app", 1)])
def test_the_clicks_of_metronomes_are_no_notes(name: str, most: int) -> None:
    samples, click = demo(10.0), METRONOMES[name]
    mixed = samples.copy()
    for number, at in enumerate(np.arange(FIRST_S + 0.17, len(samples) / RATE - 1, BEAT_S)):
        begin, sound = round(at * RATE), 0.2 * click(number % BAR == 0)
        mixed[begin : begin + len(sound)] += sound
    left_over(heard_in_demo(10.0), mixed, most)


def test_a_beep_on_a_partial_of_the_piano_is_known_by_the_length_of_those_before() -> None:
    # F sharp 5 of the tune has F sharp 6 as its second partial, so there a beep falls by less
    left_over(heard_in_demo(15.0), with_beeps(demo(15.0), 1500.0, 0.06, 0.17), 5)


@cache
def heard_in_demo(seconds: float) -> tuple[Note, ...]:
    return tuple(notes(hear(hearing_of(bundle()), demo(seconds))))


def left_over(wanted: Iterable[Note], spoilt: np.ndarray, most: int) -> list[Note]:
    """Fail if a note of `wanted` is not heard in `spoilt`, or more than `most` others are. Return those others."""
    found = notes(hear(hearing_of(bundle()), spoilt))
    left = list(found)
    for note in wanted:
        near = [n for n in left if n.pitch == note.pitch and abs(n.onset_s - note.onset_s) < 0.05]
        assert near, note
        left.remove(near[0])
    assert len(left) <= most
    return left


def test_without_beeps_no_note_is_lost_or_late(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = list(heard_in_demo(SECONDS))
    monkeypatch.setattr(Beeps, "waits", lambda *_: 0)
    assert heard == notes(hear(hearing_of(bundle()), demo(SECONDS)))


@pytest.mark.parametrize("length_s", [0.04, 0.08])
def test_short_equal_strokes_of_one_key_are_all_heard(length_s: float) -> None:
    strikes = [Note(0.5 + 0.3 * i, 0.5 + 0.3 * i + length_s, 81, 80, 1.0, 0.0, "right") for i in range(20)]
    sound = render(strikes, 44_100).mean(axis=1, dtype=np.float32) * 0.5
    samples = np.concatenate([hop for hop, _ in Hops(44_100, RATE, HOP).push(sound)])
    found = notes(hear(hearing_of(bundle()), samples))
    assert share_found(strikes, found, 0.05) == 1.0


def test_short_high_strokes_wait_no_longer_than_a_pure_tone_must() -> None:
    keys = (84, 91, 96, 88, 103, 86, 100, 93, 98, 89, 105, 95)
    strikes = [Note(0.5 + 0.25 * i, 0.56 + 0.25 * i, key, 60, 1.0, 0.0, "right") for i, key in enumerate(keys)]
    sound = render(strikes, 44_100).mean(axis=1, dtype=np.float32) * 0.5
    samples = np.concatenate([hop for hop, _ in Hops(44_100, RATE, HOP).push(sound)])
    found = notes(hear(hearing_of(bundle()), samples))
    assert share_found(strikes, found, 0.05) == 1.0
    # the net's delay of three frames, the wait, and a frame for the place of the stroke in its frame
    assert max(note.decided_s - note.onset_s for note in found) <= (3 + PURE_WAITS + 1) * HOP / RATE


def test_a_player_who_repeats_the_key_of_the_metronome_between_its_beeps_is_heard() -> None:
    strikes = [Note(0.8 + BEAT_S * i, 0.86 + BEAT_S * i, 81, 80, 1.0, 0.0, "right") for i in range(16)]
    sound = render(strikes, 44_100).mean(axis=1, dtype=np.float32) * 0.5
    samples = np.concatenate([hop for hop, _ in Hops(44_100, RATE, HOP).push(sound)])
    found = notes(hear(hearing_of(bundle()), with_beeps(samples, 880.0, 0.06, 0.0)))
    assert share_found(strikes, found, 0.05) == 1.0


def beats(samples: np.ndarray) -> list[float]:
    engine = Engine(clock=make_clock("follow"), hearing=hearing_of(bundle()), player=left_hand_of(bundle()))
    events = [
        event
        for i, hop in enumerate(samples[: len(samples) // HOP * HOP].reshape(-1, HOP))
        for event in engine.step(hop, (i + 1) * HOP / RATE)
    ]
    return [event.time_s for event in events if isinstance(event, Beat)]


def test_a_beep_or_a_hum_in_the_count_in_does_not_spoil_it() -> None:
    samples = demo(8.0)
    t = np.arange(len(samples)) / RATE
    hum = sum(0.01 / n * np.sin(2 * np.pi * 50 * n * t) for n in range(1, 12)).astype(np.float32)  # type: ignore[union-attr]
    wanted = beats(samples)
    assert len(wanted) > 6
    for spoilt in (
        with_beeps(samples, 880.0, 0.03, 0.0, 3.0),
        with_beeps(samples, 880.0, 0.03, 0.3, 3.0),
        samples + hum,
    ):
        assert beats(spoilt)[:6] == pytest.approx(wanted[:6], abs=0.04)
