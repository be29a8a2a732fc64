"""Hearing with the shipped bundle on the demo recording: blocks do not matter, nothing poisons it, our own is our own."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shipped import bundle, demo, hear, notes, recording, share_found

from device.features import FeatureSpec
from device.gate import GateSpec
from device.hearing import Hearing
from device.models import hearing_of
from device.resample import Hops
from device.transcriber import ONSET, VELOCITY, Stepper
from device.types import KEYS, LOWEST_KEY, NoteEnded, NoteHeard

RATE, HOP = 16_000, 256
HOP_S = HOP / RATE
MOST_NOTES_A_SECOND = 8
"""More is a storm; ten fingers play more in a run, but no disturbance does."""
RECOVERY_S = 3.0
STARTLED = 3
"""Notes that a blow to the microphone may make at once."""

Samples = NDArray[np.float32]


@pytest.fixture(scope="module")
def hearing() -> Hearing:
    return hearing_of(bundle())


def test_the_demo_is_heard(hearing: Hearing) -> None:
    hearing.reset()
    found = notes(hear(hearing, demo(8.0)))
    assert len(found) >= 8, "three seconds of count-in and two bars: the tests below have something to compare"
    assert len(found) <= 8 * MOST_NOTES_A_SECOND


@given(sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=30))
@settings(max_examples=6, deadline=None)
def test_any_block_size_gives_the_same_notes_at_the_same_times(hearing: Hearing, sizes: list[int]) -> None:
    samples, rate = recording()
    samples = samples[: 4 * rate]

    def told(blocks: list[Samples]) -> list[NoteHeard | NoteEnded]:
        hearing.reset()
        hops = Hops(rate, RATE, HOP)
        return [event for block in blocks for hop, now_s in hops.push(block) for event in hearing.step(hop, now_s)]

    ends = np.cumsum(np.resize(sizes, len(samples)))
    cut = np.split(samples, ends[ends < len(samples)])
    whole = told([samples])
    assert len(notes(whole)) >= 4
    assert told(cut) == whole


def test_after_reset_the_same_sound_gives_the_same_notes(hearing: Hearing) -> None:
    hearing.reset()
    first = hear(hearing, demo(5.0))
    hearing.sent(74, 4.9)
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
def test_a_disturbance_makes_no_storm_and_leaves_nothing(hearing: Hearing, name: str) -> None:
    bad = DISTURBANCES[name][: len(DISTURBANCES[name]) // HOP * HOP]
    hearing.reset()
    clean = [note for note in notes(hear(hearing, demo(9.0))) if note.onset_s >= RECOVERY_S]
    hearing.reset()
    told = notes(hear(hearing, np.concatenate([bad, demo(9.0)])))
    begins_s = len(bad) / RATE
    stormy = [note for note in told if note.decided_s <= begins_s]
    assert len(stormy) <= STARTLED + MOST_NOTES_A_SECOND * begins_s / 2
    after = [note for note in told if note.onset_s >= begins_s + RECOVERY_S]
    moved = [NoteHeard(note) for note in after]
    assert share_found([n.note for n in moved], shifted(clean, begins_s), 1.5 * HOP_S) >= 0.9


def shifted(found: list, by_s: float) -> list:
    from dataclasses import replace

    return [replace(note, onset_s=note.onset_s + by_s) for note in found]
