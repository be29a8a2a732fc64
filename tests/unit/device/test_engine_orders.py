"""The engine and the orders of its owner: a new count-in, another clock, another confidence."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest

from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.step import UseClock
from device.engine import Engine
from device.events import Beat, Event, Note, NoteHeard, Send
from device.following.follow_clock import FollowClock
from device.hearing.features import FeatureSpec
from device.hearing.gate_spec import GateSpec
from device.hearing.pipeline import Hearing
from device.hearing.transcriber import Stepper
from device.settings.controls import Arm, Confidence, CountAgain, Restyle
from tests.unit.helpers.plays import fresh_left_hand

FOUR = Meter(4, 4)
HOP_S = 0.016


def keyed(onset_s: float, pitch: int) -> NoteHeard:
    return NoteHeard(Note(onset_s, None, pitch, 80, 1.0, onset_s, "right"))


def played(engine: Engine, from_s: float, onsets: list[tuple[float, int]], to_s: float) -> list[Event]:
    """Run the engine from one time to another with onsets (seconds, pitch)."""
    events: list[Event] = []
    waiting = sorted(onsets)
    for hop in range(round(from_s / HOP_S), round(to_s / HOP_S)):
        now_s = (hop + 1) * HOP_S
        midi = []
        while waiting and waiting[0][0] <= now_s:
            midi.append(keyed(*waiting.pop(0)))
        events += engine.step(None, now_s, midi)
    return events


def tune(start_s: float, beat_s: float, beats: int) -> list[tuple[float, int]]:
    return [(start_s + i * beat_s, 72 + (0, 4, 7, 4)[i % 4]) for i in range(beats)]


def down_after(sends: list[Event]) -> set[int]:
    down: set[int] = set()
    for send in sends:
        if isinstance(send, Send) and send.kind == "note_on":
            down.add(send.pitch)
        elif isinstance(send, Send) and send.kind == "note_off":
            down.discard(send.pitch)
    return down


def test_a_new_count_in_silences_and_then_follows_the_new_tempo() -> None:
    engine = Engine(clock=FollowClock(FOUR, 4), player=fresh_left_hand())
    first = played(engine, 0.0, tune(0.5, 0.5, 20), 11.0)
    assert any(isinstance(event, Send) for event in first)
    assert engine.steered is not None and not engine.steered.counting_in
    released = engine.act(CountAgain(), 11.0)
    assert not down_after(first + released) and engine.held == frozenset()
    assert engine.steered.counting_in
    # nothing is played before the new count-in, nor in it
    assert not [e for e in played(engine, 11.0, tune(12.0, 0.8, 4), 14.9) if isinstance(e, Send | Beat)]
    second = played(engine, 14.9, tune(15.2, 0.8, 12), 25.0)
    beats = [event.time_s for event in second if isinstance(event, Beat)]
    assert beats[0] == pytest.approx(15.2, abs=0.1)
    assert np.median(np.diff(beats)) == pytest.approx(0.8, rel=0.05)
    assert any(isinstance(event, Send) and event.kind == "note_on" for event in second)


def test_another_clock_takes_over_and_the_steering_stays() -> None:
    engine = Engine(clock=FollowClock(FOUR, 4), player=fresh_left_hand())
    engine.act(Restyle("bass"), 0.0)
    first = played(engine, 0.0, tune(0.5, 0.5, 12), 7.0)
    released = engine.act(UseClock(FixedClock(100.0, FOUR), {}), 7.0)
    assert not down_after(first + released)
    assert engine.steered is not None and engine.steered.steering.style == "bass"
    events = played(engine, 7.0, tune(8.0, 0.6, 12), 15.0)
    beats = [event.time_s for event in events if isinstance(event, Beat)]
    assert np.diff(beats) == pytest.approx(0.6)


def test_what_the_owner_did_can_be_seen() -> None:
    engine = Engine(clock=FixedClock(100.0, FOUR), player=fresh_left_hand())
    assert engine.steered is not None and engine.steered.armed
    engine.act(Arm(False), 0.0)
    assert not engine.steered.armed
    assert Engine(clock=FixedClock(100.0, FOUR)).steered is None


class Unsure:
    """A transcriber that hears C4 struck every 20 frames with probability 0.6."""

    def __init__(self) -> None:
        self.frame = 0
        self.tensors = {}
        self.state_names: tuple[str, ...] = ()

    def reset(self) -> None:
        self.frame = 0

    def step(self, *_: object, **__: object) -> dict[str, np.ndarray]:
        y = np.zeros((1, 88, 4), np.float32)
        y[0, 39, :2] = 0.6 if self.frame % 20 == 0 else 0.0
        self.frame += 1
        return {"y": y}


def heard(hearing: Hearing, hops: int, now_s: float) -> int:
    silence = np.zeros(FeatureSpec().hop, np.float32)
    return sum(isinstance(event, NoteHeard) for _ in range(hops) for event in hearing.step(silence, now_s))


def test_another_confidence_takes_effect_from_the_next_hop() -> None:
    gate = GateSpec(delay_frames=3, onset=(0.5,) * len(GateSpec().onset), wake=0.5)
    hearing = Hearing(FeatureSpec(), gate, cast(Stepper, Unsure()))
    engine = Engine(clock=FixedClock(100.0, FOUR), hearing=hearing)
    assert heard(hearing, 100, 1.0) >= 4
    engine.act(Confidence(0.8), 2.0)
    assert heard(hearing, 100, 3.0) == 0
    engine.act(Confidence(0.5), 4.0)
    assert heard(hearing, 100, 5.0) >= 4
