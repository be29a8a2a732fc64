"""The engine on MIDI: with every clock it uses no note before it is played, and it releases every key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.step import Step
from device.engine import TRIED_KEYS, TRIED_S, Engine
from device.events import Note, NoteEnded, NoteHeard, Send
from device.files.midi.notes import Part
from device.files.midi_run import play_midi
from device.files.performance import Performance
from device.left_hand.performer import Move, Strike
from device.make_clock import Mode, make_clock
from device.settings.controls import PlayNote
from tests.unit.helpers.plays import (
    BEAT_S,
    HOP_S,
    TEMPO,
    TICKS,
    Struck,
    Watched,
    before,
    fresh_left_hand,
    gap_steps,
    known,
    let_go,
    melody,
    midi,
    note_ons,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


MidiClock = tuple[Mode, int]
MIDI_CLOCKS = pytest.mark.parametrize(
    "clock", [("file", 0), ("file", 4), ("fixed", 0), ("fixed", 4), ("follow", 4), ("follow", 0)]
)


def play_hand(folder: Path, struck: Sequence[Struck], clock: MidiClock) -> tuple[Performance, list[Step]]:
    source, part = midi(folder / "hand.mid", struck)
    mode, count_in = clock
    watched = Watched(make_clock(mode, TEMPO if mode == "fixed" else None, count_in, file=source))
    performance = play_midi(Engine(clock=watched, player=fresh_left_hand()), part, HOP_S)
    return performance, watched.given


def another_end(struck: Sequence[Struck], at: int, seed: int) -> list[Struck]:
    """The notes decided up to the tick `at`, and random other notes after it (seed 0: none)."""
    kept = [(on, length if on + length <= at else at + 1 - on, pitch) for on, length, pitch in struck if on <= at]
    rng = np.random.default_rng(seed)
    tick, added = at + 1, list[Struck]()
    while seed and tick < 16 * TICKS:
        tick += int(rng.integers(20, TICKS))
        added.append((tick, int(rng.integers(30, TICKS)), int(rng.integers(56, 92))))
    return kept + [later for later in added if later[0] > at + 1]


@MIDI_CLOCKS
@given(at=st.integers(4 * TICKS, 30 * TICKS), seed=st.integers(0, 5))
@settings(max_examples=12, deadline=None)
def test_notes_decided_after_t_change_nothing_that_is_due_before_t_and_the_gap(
    folder: Path, clock: MidiClock, at: int, seed: int
) -> None:
    whole, steps = play_hand(folder, melody(), clock)
    changed, _ = play_hand(folder, another_end(melody(), at, seed), clock)
    until_s = at / TICKS * BEAT_S
    assert before(note_ons(changed.sends), until_s) == before(note_ons(whole.sends), until_s)
    assert known(changed, until_s) == known(whole, until_s)
    if clock[0] == "follow":
        return  # this clock may bring a step forward, or hold it back, for an onset that comes within the gap
    # a step is planned from the notes decided a gap before it, so the results agree up to this step
    blind = [step.time_s for step in steps if step.time_s - gap_steps() * step.length_s <= until_s]
    safe_s = np.nextafter(max(blind, default=0.0), np.inf)
    lengthening_s = 1e-3  # a step may be that much longer than the gap before it, where the tempo bends
    assert safe_s >= until_s - lengthening_s or not steps or steps[0].time_s > until_s
    assert before(note_ons(changed.sends), safe_s) == before(note_ons(whole.sends), safe_s)


@MIDI_CLOCKS
def test_a_melody_is_answered_and_every_key_let_go_within_two_bars(folder: Path, clock: MidiClock) -> None:
    performance, _ = play_hand(folder, melody(), clock)
    end_s = performance.input_s
    assert end_s == pytest.approx(32 * BEAT_S, abs=0.05)
    # without a count-in the clock finds half notes in this melody, and the left hand listens for two bars of these
    slow = clock == ("follow", 0)
    assert len(before(note_ons(performance.sends), end_s)) >= (3 if slow else 5)
    assert let_go(performance.sends)
    assert max(send.due_s for send in performance.sends) <= end_s + (16 if slow else 8) * BEAT_S * 1.02


@MIDI_CLOCKS
@given(
    struck=st.lists(
        st.tuples(st.integers(0, 12 * TICKS), st.integers(1, 2 * TICKS), st.integers(21, 108)), min_size=1, max_size=30
    )
)
@settings(max_examples=10, deadline=None)
def test_whatever_is_played_every_key_is_let_go(folder: Path, clock: MidiClock, struck: list[Struck]) -> None:
    performance, steps = play_hand(folder, struck, clock)
    assert let_go(performance.sends)
    assert [s.index for s in steps] == sorted({s.index for s in steps})
    assert all(a.time_s < b.time_s for a, b in zip(steps, steps[1:], strict=False))
    assert all(note.offset_s is not None for note in performance.notes)


@MIDI_CLOCKS
def test_no_strike_leaves_after_it_is_due(folder: Path, clock: MidiClock) -> None:
    performance, _ = play_hand(folder, melody(), clock)
    strikes = [send for send in performance.sends if send.kind == "note_on"]
    assert strikes and all(send.sent_s <= send.due_s for send in strikes)


class LateClock:
    """Gives its one step when it is already over."""

    counting_in = False

    def __init__(self) -> None:
        self._given = False

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """Nothing changes its mind."""

    def due(self, now_s: float) -> Step | None:
        if self._given or now_s < 1.0:
            return None
        self._given = True
        return Step(0, 0.5, 0.1, 0, Meter(4, 4), 1.0)

    def reset(self) -> None:
        self._given = False


class Striker:
    """Strikes C3 at every step."""

    def hear(self, note: Note) -> None:
        """Nothing changes its mind."""

    def end(self, ended: NoteEnded) -> None:
        """Nothing changes its mind."""

    def play(self, step: Step) -> Move:
        return Move(None, [Strike(step.time_s, 48, 70, None)], [], None)

    def reset(self) -> None:
        """Remembers nothing."""


def test_a_step_that_comes_too_late_strikes_nothing() -> None:
    engine = Engine(clock=LateClock(), player=Striker())
    assert not [event for event in engine.step(None, 1.0) if isinstance(event, Send)]
    assert not engine.held


# --- the engine by itself


def test_a_listener_hears_and_plays_nothing(folder: Path) -> None:
    source, part = midi(folder / "listen.mid", melody(2))
    performance = play_midi(Engine(clock=make_clock("file", file=source)), part, HOP_S)
    assert len(performance.notes) == 9 and not performance.sends and not performance.beats


@pytest.mark.parametrize("hand", ["left", "own"])
def test_what_is_not_the_right_hand_s_is_told_but_not_answered(folder: Path, hand: Literal["left", "own"]) -> None:
    source, part = midi(folder / "left.mid", melody(4))
    notes = tuple(Note(n.onset_s, n.offset_s, n.pitch, n.velocity, 1.0, n.decided_s, hand) for n in part.notes)
    clock = Watched(make_clock("fixed", TEMPO))
    engine = Engine(clock=clock, player=fresh_left_hand())
    performance = play_midi(engine, Part(1, "", notes, drums=False, end_s=part.end_s), HOP_S)
    assert len(performance.notes) == len(notes) and source.parts
    assert not performance.sends and not clock.given


@pytest.mark.parametrize("down", [False, True])
def test_the_owner_s_note_is_played_beside_the_left_hand_on_a_key_that_is_up(folder: Path, down: bool) -> None:
    engine = Engine(clock=make_clock("fixed", 120.0, None, Meter.parse("4/4")))
    if down:
        engine._performer.strike(0.0, [Strike(1.0, TRIED_KEYS[0], 70, None)])
        engine._performer.advance(2.0)
        assert TRIED_KEYS[0] in engine.held
    (on,) = engine.act(PlayNote(), 3.0)
    off = next(send for send in engine._performer.advance(3.0 + TRIED_S) if isinstance(send, Send))
    assert isinstance(on, Send)
    assert (on.kind, on.due_s, on.pitch) == ("note_on", 3.0, TRIED_KEYS[1 if down else 0])
    assert (off.kind, off.due_s, off.pitch) == ("note_off", 3.0 + TRIED_S, on.pitch)


def test_the_owner_s_note_does_not_end_a_later_stroke_of_its_key() -> None:
    engine = Engine(clock=make_clock("fixed", 120.0), player=Striker())
    events = engine.act(PlayNote(), 3.0)
    events += engine._performer.strike(3.2, [Strike(3.3, TRIED_KEYS[0], 70, None)])
    events += engine.step(None, 3.0 + TRIED_S)
    sends = sorted((event for event in events if isinstance(event, Send)), key=lambda send: send.due_s)
    assert [(send.kind, send.due_s) for send in sends] == [("note_on", 3.0), ("note_off", 3.3), ("note_on", 3.3)]


def test_panic_ends_the_owner_s_notes_too_and_no_more_are_played_than_there_are_keys() -> None:
    engine = Engine(clock=make_clock("fixed", 120.0), player=Striker())
    played = [send for _ in range(9) for send in engine.act(PlayNote(), 3.0) if isinstance(send, Send)]
    assert [send.pitch for send in played] == list(TRIED_KEYS)
    silenced = [send for send in engine.panic(3.1) if isinstance(send, Send)]
    assert {send.pitch for send in silenced} == set(TRIED_KEYS) and all(send.due_s <= 3.1 for send in silenced)


def test_panic_lets_go_of_every_key_at_once(folder: Path) -> None:
    source, part = midi(folder / "panic.mid", melody())
    engine = Engine(clock=make_clock("file", file=source), player=fresh_left_hand())
    waiting, now_s, sends = list(part.notes), 0.0, list[Send]()
    while now_s < part.end_s and (now_s < 4 or not engine.held):
        now_s += HOP_S
        come = [NoteHeard(note) for note in waiting if note.decided_s <= now_s]
        waiting = waiting[len(come) :]
        sends += [event for event in engine.step(None, now_s, come) if isinstance(event, Send)]
    held = engine.held
    assert held
    last = [event for event in engine.panic(now_s) if isinstance(event, Send)]
    assert {send.pitch for send in last} == held and not engine.held
    assert all(send.kind == "note_off" for send in last)
    assert let_go(sends + last)
