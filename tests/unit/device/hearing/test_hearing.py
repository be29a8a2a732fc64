"""Hearing with the shipped bundle: block sizes do not matter, bad input does no harm, own notes are marked."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from device.assemble import engine_of, hearing_of
from device.events import KEYS, LOWEST_KEY, SUSTAIN, Note, NoteEnded, NoteHeard, Send
from device.hearing.features import FeatureSpec
from device.hearing.gate_spec import GateSpec
from device.hearing.own_notes import OwnNotes
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from device.hearing.transcriber import ONSET, VELOCITY, Stepper
from device.settings.config import parse_config
from tests.unit.helpers.shipped import bundle, demo, hear, notes, recording, share_found

RATE, HOP = 16_000, 256
HOP_S = HOP / RATE
SETTINGS = """
[audio]
input = "tape"
confidence = {}
[midi]
output = "synth"
"""
STORM = 4
"""Upper limit for false notes a second from a disturbance."""
RECOVERY_S = 3.0
SURE = 0.9

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def hearing() -> Hearing:
    return hearing_of(bundle())


@pytest.fixture(scope="module")
def undisturbed(hearing: Hearing) -> list[Note]:
    """The notes heard in the demo alone."""
    hearing.reset()
    found: list[Note] = notes(hear(hearing, demo(7.5)))
    return found


def test_the_demo_is_heard(hearing: Hearing) -> None:
    hearing.reset()
    found = notes(hear(hearing, demo(8.0)))
    assert len(found) >= 8, "three seconds of count-in and two bars: the tests below have something to compare"


def test_the_more_confidence_is_asked_for_the_surer_are_the_notes() -> None:
    lax, strict = (
        notes(hear(engine_of(parse_config(SETTINGS.format(asked), ""), bundle()).hearing, demo(8.0)))
        for asked in (0.05, 0.95)
    )
    assert len(lax) > len(strict) > 0
    assert min(note.confidence for note in strict) > min(note.confidence for note in lax)


@given(sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=30))
@settings(max_examples=5, deadline=None)
def test_any_block_size_gives_the_same_notes_at_the_same_times(hearing: Hearing, sizes: list[int]) -> None:
    samples, rate = recording()
    samples = samples[: 3 * rate]

    def told(blocks: list[Samples]) -> list[NoteHeard | NoteEnded]:
        hearing.reset()
        hops = Hops(rate, RATE, HOP)
        return [event for block in blocks for hop, now_s in hops.push(block) for event in hearing.step(hop, now_s)]

    ends = np.cumsum(np.resize(sizes, len(samples) // min(sizes) + 1))
    cut = np.split(samples, ends[ends < len(samples)])
    whole = told([samples])
    assert len(notes(whole)) >= 3
    assert told(cut) == whole


def test_after_reset_the_same_sound_gives_the_same_notes(hearing: Hearing) -> None:
    hearing.reset()
    first = hear(hearing, demo(5.0))
    hearing.note_on(74, 4.9)
    hearing.step(np.ones(HOP, np.float32), 5.1)
    hearing.reset()
    assert not hearing.pending
    assert hear(hearing, demo(5.0)) == first != []


def test_a_fresh_hearing_and_one_that_was_reset_agree(hearing: Hearing) -> None:
    hearing.reset()
    assert hear(hearing_of(bundle()), demo(4.0)) == hear(hearing, demo(4.0))


def square(hz: float, seconds: float) -> Samples:
    t = np.arange(round(seconds * RATE)) / RATE
    return np.where(np.sin(2 * np.pi * hz * t) >= 0, 1.0, -1.0).astype(np.float32)


def nothing(seconds: float = 3.0) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def pops() -> Samples:
    """Full-scale clicks, three a second."""
    out = nothing()
    out[:: RATE // 3] = 1.0
    return out


DISTURBANCES: dict[str, Samples] = {
    "silence": nothing(),
    "nan": nothing() + np.float32(np.nan),
    "inf": np.resize(np.array([np.inf, -np.inf], np.float32), 3 * RATE),
    "nan now and then": np.where(np.arange(3 * RATE) % 1000 < 3, np.nan, nothing()).astype(np.float32),
    "dc": nothing() + np.float32(0.7),
    "dc that jumps": np.where(np.arange(3 * RATE) // RATE % 2 == 0, 0.9, -0.9).astype(np.float32),
    "far beyond full scale": np.full(3 * RATE, 1e30, np.float32),
    "clicks": pops(),
    "low square": square(65.4, 3.0),
    "square": square(440.0, 3.0),
    "high square": square(3136.0, 3.0),
    "square at the highest frequency": np.resize(np.array([1, -1], np.float32), 3 * RATE),
    "white noise": np.clip(np.random.default_rng(1).standard_normal(3 * RATE), -1, 1).astype(np.float32),
}


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_disturbance_makes_no_storm_and_leaves_nothing(hearing: Hearing, undisturbed: list[Note], name: str) -> None:
    bad = DISTURBANCES[name][: 3 * RATE // HOP * HOP]
    bad_s = len(bad) / RATE
    # an uncertain note may come a frame later or be missing
    clean = [note for note in undisturbed if note.onset_s >= RECOVERY_S and note.confidence >= SURE]
    hearing.reset()
    told = notes(hear(hearing, np.concatenate([bad, demo(7.5)])))
    assert sum(note.decided_s <= bad_s for note in told) <= STORM * bad_s
    after = [replace(note, onset_s=note.onset_s - bad_s) for note in told if note.onset_s >= bad_s + RECOVERY_S]
    assert len(clean) >= 5 and share_found(clean, after, 1.5 * HOP_S) >= 0.9


def test_silence_is_no_note(hearing: Hearing) -> None:
    hearing.reset()
    assert not hear(hearing, nothing())


def test_a_second_of_no_numbers_within_the_music_is_a_second_of_silence(hearing: Hearing) -> None:
    gap = slice(3 * RATE, 4 * RATE)
    poisoned, silent = demo(6.0).copy(), demo(6.0).copy()
    poisoned[gap], silent[gap] = np.nan, 0
    hearing.reset()
    wanted = hear(hearing, silent)
    hearing.reset()
    assert hear(hearing, poisoned) == wanted != []


@pytest.mark.parametrize("gain", [10.0, 1e4])
def test_a_clipping_input_makes_no_storm(hearing: Hearing, gain: float) -> None:
    hearing.reset()
    assert len(notes(hear(hearing, demo(6.0) * np.float32(gain)))) <= STORM * 6


def test_a_constant_offset_changes_nothing_much(hearing: Hearing) -> None:
    hearing.reset()
    clean = notes(hear(hearing, demo(6.0)))
    hearing.reset()
    assert share_found(clean, notes(hear(hearing, demo(6.0) + np.float32(0.05))), 1.5 * HOP_S) >= 0.8


def test_what_was_sent_is_no_longer_the_player_s(hearing: Hearing) -> None:
    hearing.reset()
    clean = notes(hear(hearing, demo(6.0)))
    hearing.reset()
    for note in clean:
        hearing.note_on(note.pitch, note.onset_s - 0.05, note.onset_s + 0.3)
    told = notes(hear(hearing, demo(6.0)))
    sure = bundle().manifest.gate.get("own_threshold", GateSpec().own_threshold)
    assert not [n for n in told if n.hand == "right" and n.confidence < sure]
    right = sum(n.hand == "right" for n in told)
    assert right <= sum(n.hand == "right" for n in clean) / 2


class Strikes:
    """A net that reports one key struck at one step."""

    def __init__(self, pitch: int, at: int, confidence: float) -> None:
        self._key, self._at, self._confidence = pitch - LOWEST_KEY, at, confidence
        self.own: list[Samples] = []

    def step(self, **inputs: Samples) -> dict[str, Samples]:
        self.own.append(inputs["own"])
        said = np.zeros((1, KEYS, 4), np.float32)
        if len(self.own) == self._at:
            said[0, self._key, [ONSET, VELOCITY]] = self._confidence, 0.5
        return {"y": said}

    def reset(self) -> None:
        self.own.clear()


@pytest.mark.parametrize(
    ("sent", "confidence", "hand"),
    [
        ((60, -0.1), 0.9, "own"),
        ((60, -0.24), 0.9, "own"),
        ((60, 0.03), 0.9, "own"),
        ((60, -0.4), 0.9, "right"),
        ((60, 0.2), 0.9, "right"),
        ((61, -0.1), 0.9, "right"),
        ((60, -0.1), 0.96, "right"),
    ],
)
def test_an_onset_that_our_sending_explains_is_our_own(sent: tuple[int, float], confidence: float, hand: str) -> None:
    net = Strikes(60, 50, confidence)
    hearing = Hearing(FeatureSpec(), GateSpec(delay_frames=3), cast(Stepper, net))
    pitch, after_s = sent
    hearing.note_on(pitch, 46.5 * HOP_S + after_s, 2.0)
    (note,) = notes(hear(hearing, nothing(1.0)))
    assert (note.pitch, note.hand, note.onset_s) == (60, hand, pytest.approx(46.5 * HOP_S))


def test_what_explains_a_low_onset_that_is_told_later_was_sent_sooner() -> None:
    spec = GateSpec(delay_frames=3, later=(5, 3, 1, 0, 0, 0, 0, 0))
    for after_s, hand in ((-0.24, "own"), (0.03, "own"), (0.07, "left")):
        hearing = Hearing(FeatureSpec(), spec, cast(Stepper, Strikes(30, 55, 0.9)))
        hearing.note_on(30, 46.5 * HOP_S + after_s, 2.0)
        (note,) = notes(hear(hearing, nothing(1.0)))
        assert (note.hand, note.onset_s) == (hand, pytest.approx(46.5 * HOP_S))


def test_the_net_is_told_what_was_sent_from_then_on() -> None:
    net = Strikes(60, 1, 0.0)
    hearing = Hearing(FeatureSpec(), GateSpec(), cast(Stepper, net))
    hearing.note_on(60, 10.5 * HOP_S)
    hearing.note_off(60, 20.5 * HOP_S)
    hear(hearing, nothing(0.5))
    trace, held = np.array(net.own).reshape(-1, KEYS, 2)[:, 60 - LOWEST_KEY].T
    assert not trace[:10].any() and trace[10] > 0.9 and np.all(np.diff(trace[10:]) < 0)
    assert list(np.flatnonzero(held)) == list(range(10, 20))


def test_a_key_released_under_the_pedal_sounds_until_the_pedal_is_up_or_the_key_is_struck() -> None:
    own = OwnNotes()
    messages: list[tuple[float, Literal["note_on", "note_off", "control"], int, int]] = [
        (0.1, "note_on", 48, 70),
        (0.2, "control", SUSTAIN, 127),
        (0.3, "note_off", 48, 0),
        (0.4, "note_on", 52, 70),
        (0.5, "note_off", 52, 0),
        (0.6, "note_on", 52, 70),
        (0.8, "control", SUSTAIN, 0),
        (1.0, "note_off", 52, 0),
    ]

    def held(until_s: float) -> list[set[int]]:
        """The keys that sound every 0.1 s from 0.05 s on, by the messages due before `until_s`."""
        own.reset()
        for due_s, kind, pitch, value in messages:
            if due_s < until_s:
                own.sent(Send(due_s, due_s, kind, pitch, value))
        return [
            {int(key) + LOWEST_KEY for key in np.flatnonzero(own.frame(0.05 + 0.1 * i)[0, :, 1])} for i in range(12)
        ]

    assert held(0.55)[5:] == [{48, 52}] * 7
    assert held(2.0) == [set(), *[{48}] * 3, *[{48, 52}] * 4, {52}, {52}, set(), set()]


def test_the_edge_of_a_sound_of_8_khz_is_no_high_note() -> None:
    samples, rate = recording()
    wanted = notes(hear(hearing_of(bundle()), demo(8.0)))
    narrow = np.concatenate([hop for hop, _ in Hops(rate, 8_000, HOP).push(samples[: 8 * rate])])
    wide = np.concatenate([hop for hop, _ in Hops(8_000, RATE, HOP).push(narrow)])
    assert len(notes(hear(hearing_of(bundle()), wide))) > len(wanted), "strokes are heard as high notes too"
    hearing = hearing_of(bundle())
    hearing.limit(8_000)
    hearing.ask(0.5)
    assert share_found(wanted, notes(hear(hearing, wide)), 0.05) == 1.0
