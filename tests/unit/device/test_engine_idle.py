"""The engine is idle only when nothing was heard, played or asked for, so that hops may then wait."""

from __future__ import annotations

from device.clock.fixed_clock import SLOWEST_BPM
from device.engine import IDLE_S, Engine
from device.events import Note, NoteHeard
from device.make_clock import make_clock
from device.settings.controls import Tap
from tests.unit.helpers.plays import fresh_left_hand

HOP_S = 0.016


def steps(engine: Engine, from_s: float, until_s: float) -> list[bool]:
    """Run the engine without input, and return for each hop whether it is idle after it."""
    idle = []
    for number in range(round(from_s / HOP_S), round(until_s / HOP_S)):
        engine.step(None, number * HOP_S)
        idle.append(engine.idle)
    return idle


def test_it_is_idle_some_time_after_the_last_event_or_action() -> None:
    engine = Engine(clock=make_clock("follow", None, 0), player=fresh_left_hand())
    assert not any(steps(engine, 0.0, IDLE_S)) and all(steps(engine, IDLE_S + 0.1, 12.0))
    engine.step(None, 12.0, [NoteHeard(Note(11.9, None, 72, 80, 1.0, 12.0, "right"))])
    assert not any(steps(engine, 12.0, 20.0)) and all(steps(engine, 26.0, 28.0))
    engine.act(Tap(), 28.0)
    assert not any(steps(engine, 28.0, 37.0)) and all(steps(engine, 38.1, 39.0))
    engine.reset()
    assert not engine.idle


def test_it_is_never_idle_while_the_slowest_clock_gives_beats() -> None:
    engine = Engine(clock=make_clock("fixed", SLOWEST_BPM, 0), player=fresh_left_hand())
    engine.step(None, 0.0, [NoteHeard(Note(0.0, None, 72, 80, 1.0, 0.0, "right"))])
    assert not any(steps(engine, 0.016, 60.0))
