"""The engine: nothing is known before it is heard, whatever gives the beat, and every key is let go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shipped import bundle, recording

from device.audio import SoundFile
from device.clock import Clock, Step
from device.clocks import Mode, make_clock
from device.engine import Engine
from device.hearing import Hearing
from device.lefthand import LeftHand
from device.meter import Meter
from device.midifile import MidiInput, Part, read_midi
from device.models import hearing_of, left_hand_of
from device.performance import Performance
from device.performer import Strike
from device.play import play_midi, play_sound
from device.resample import Hops
from device.types import Note, NoteEnded, NoteHeard, Send

RATE, HOP, HOP_S = 16_000, 256, 0.016
SOUND_S = 12.0
"""So much of the demo: count-in, the bar that the left hand listens to, and three bars of both hands."""
DEMO_BPM = 100.0
TEMPO, TICKS = 120, 480
BEAT_S = 60 / TEMPO

NoteOn = tuple[float, int, int]
Struck = tuple[int, int, int]
"""Tick, length in ticks, pitch."""


@pytest.fixture(scope="module")
def hearing() -> Hearing:
    return hearing_of(bundle())


@cache
def left_hand() -> LeftHand:
    """One for all runs, forgetful between them."""
    return left_hand_of(bundle())


def fresh_left_hand() -> LeftHand:
    left_hand().reset()
    return left_hand()


def gap_steps() -> float:
    return float(bundle().manifest.accompanist["gap_steps"])


@dataclass
class Watched:
    """A clock, and the steps that it gave."""

    inner: Clock
    given: list[Step] = field(default_factory=list)

    @property
    def counting_in(self) -> bool:
        return self.inner.counting_in

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        self.inner.hear(onset_s, decided_s, pitch)

    def due(self, now_s: float) -> Step | None:
        step = self.inner.due(now_s)
        if step is not None:
            self.given.append(step)
        return step

    def reset(self) -> None:
        self.inner.reset()


def note_ons(sends: Sequence[Send]) -> list[NoteOn]:
    return [(send.due_s, send.pitch, send.velocity) for send in sends if send.kind == "note_on"]


def before(played: Sequence[NoteOn], time_s: float) -> list[NoteOn]:
    return [on for on in played if on[0] < time_s]


def let_go(sends: Sequence[Send]) -> bool:
    """Whether the messages of every key are on, off, on, off by their due times, which never fall."""
    for pitch in {send.pitch for send in sends}:
        of_key = [send for send in sends if send.pitch == pitch and send.kind != "control"]
        kinds = [send.kind for send in of_key]
        if kinds != ["note_on", "note_off"] * (len(kinds) // 2):
            return False
        if [send.due_s for send in of_key] != sorted(send.due_s for send in of_key):
            return False
    return True


# --- sound


def play(hearing: Hearing, samples: NDArray[np.float32], mode: Mode, folder: Path) -> Performance:
    """The shipped bundle over samples at the demo's rate."""
    path = folder / "input.wav"
    rate = recording()[1]
    soundfile.write(path, samples, rate, subtype="FLOAT")
    hearing.reset()
    clock = make_clock(mode, DEMO_BPM if mode == "fixed" else None, 4)
    engine = Engine(clock=clock, hearing=hearing, player=fresh_left_hand())
    return play_sound(engine, SoundFile(path), Hops(rate, RATE, HOP))


def beginning() -> NDArray[np.float32]:
    samples, rate = recording()
    first: NDArray[np.float32] = samples[: round(SOUND_S * rate)]
    return first


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def whole(hearing: Hearing, folder: Path) -> dict[str, Performance]:
    """The demo's beginning by each clock that sound can have."""
    modes: tuple[Mode, ...] = ("follow", "fixed")
    return {mode: play(hearing, beginning(), mode, folder) for mode in modes}


SOUND_CLOCKS = pytest.mark.parametrize("mode", ["follow", "fixed"])


@SOUND_CLOCKS
def test_the_demo_is_answered(whole: dict[str, Performance], mode: Mode) -> None:
    assert len(before(note_ons(whole[mode].sends), SOUND_S)) >= 5


@SOUND_CLOCKS
def test_the_same_sound_gives_the_same_left_hand(
    hearing: Hearing, folder: Path, whole: dict[str, Performance], mode: Mode
) -> None:
    again = play(hearing, beginning(), mode, folder)
    assert (again.sends, again.notes, again.beats) == (whole[mode].sends, whole[mode].notes, whole[mode].beats)


def replaced(at: int, how: str) -> NDArray[np.float32]:
    """The demo's beginning with something else from the sample `at` on, of the same length where not cut."""
    samples = beginning().copy()
    rest = len(samples) - at
    if how == "cut":
        return samples[:at]
    samples[at:] = {
        "silence": np.zeros(rest),
        "noise": np.random.default_rng(at).uniform(-1, 1, rest),
        "the beginning again": samples[:rest],
        "nan": np.full(rest, np.nan),
    }[how]
    return samples


@SOUND_CLOCKS
@given(
    at_s=st.floats(5.5, SOUND_S - 0.1),
    how=st.sampled_from(["cut", "silence", "noise", "the beginning again", "nan"]),
)
@settings(max_examples=5, deadline=None)
def test_sound_after_t_changes_nothing_before_t(
    hearing: Hearing, folder: Path, whole: dict[str, Performance], mode: Mode, at_s: float, how: str
) -> None:
    at = round(at_s * recording()[1])
    changed, all_of_it = play(hearing, replaced(at, how), mode, folder), whole[mode]
    until_s = at / recording()[1]
    assert before(note_ons(changed.sends), until_s) == before(note_ons(all_of_it.sends), until_s)
    assert known(changed, until_s) == known(all_of_it, until_s)
    assert [b for b in changed.beats if b.predicted_at_s <= until_s] == [
        b for b in all_of_it.beats if b.predicted_at_s <= until_s
    ]
    if how == "cut":
        assert len(changed.notes) == len(known(all_of_it, until_s)), "and nothing else was heard"


def known(performance: Performance, until_s: float) -> list[tuple[float, int, int, float, float, str]]:
    """Notes decided by then; their offsets may be open."""
    return [
        (n.onset_s, n.pitch, n.velocity, n.confidence, n.decided_s, n.hand)
        for n in performance.notes
        if n.decided_s <= until_s
    ]


@SOUND_CLOCKS
def test_every_key_is_let_go_within_two_bars_of_the_end_of_the_sound(whole: dict[str, Performance], mode: Mode) -> None:
    sends = whole[mode].sends
    assert sends and let_go(sends)
    assert max(send.due_s for send in sends) <= SOUND_S + 2 * 4 * 60 / DEMO_BPM * 1.1
    assert max(on[0] for on in note_ons(sends)) < SOUND_S + 2 * 4 * 60 / DEMO_BPM


@SOUND_CLOCKS
def test_nothing_is_played_during_the_count_in(whole: dict[str, Performance], mode: Mode) -> None:
    fourth = sorted(note.onset_s for note in whole[mode].notes)[3]
    assert min(on[0] for on in note_ons(whole[mode].sends)) > fourth + 60 / DEMO_BPM / 2


# --- MIDI


def melody(bars: int = 8) -> list[Struck]:
    """A count-in of a bar, then F, G, C and C in broken chords of quarters and eighths."""
    struck = [(beat * TICKS, TICKS - 20, 72) for beat in range(4)]
    for bar in range(1, bars):
        root = (60, 65, 67, 60)[bar % 4]
        for place, length, above in ((0, 1, 0), (1, 0.5, 4), (1.5, 0.5, 7), (2, 1, 12), (3, 1, 7)):
            struck.append((round((4 * bar + place) * TICKS), round(length * TICKS) - 20, root + 12 + above))
    return struck


def midi(path: Path, struck: Sequence[Struck]) -> tuple[MidiInput, Part]:
    """A file of one track at 120 quarters a minute, read as `lefthand play` reads it."""
    timed = [(at, 1, pitch) for at, _, pitch in struck] + [(at + length, 0, pitch) for at, length, pitch in struck]
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO))])
    last = 0
    for tick, is_on, pitch in sorted(timed):
        track.append(mido.Message("note_on", note=pitch, velocity=70 * is_on, time=tick - last))
        last = tick
    mido.MidiFile(tracks=[track], ticks_per_beat=TICKS).save(path)
    source = read_midi(path)
    return source, source.part()


MidiClock = tuple[Mode, int]
MIDI_CLOCKS = pytest.mark.parametrize(
    "clock", [("file", 0), ("file", 4), ("fixed", 0), ("fixed", 4), ("follow", 4), ("follow", 0)]
)


def play_hand(folder: Path, struck: Sequence[Struck], clock: MidiClock) -> tuple[Performance, list[Step]]:
    source, part = midi(folder / "hand.mid", struck)
    mode, count_in = clock
    watched = Watched(make_clock(mode, TEMPO if mode == "fixed" else None, count_in, midi=source))
    performance = play_midi(Engine(clock=watched, player=fresh_left_hand()), part, HOP_S)
    return performance, watched.given


def another_end(struck: Sequence[Struck], at: int, seed: int) -> list[Struck]:
    """What is decided up to the tick `at`, and other notes after it (seed 0: none)."""
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
    # a step is planned by what was decided a gap before it: so far reaches what is the same
    blind = [step.time_s for step in steps if step.time_s - gap_steps() * step.length_s <= until_s]
    safe_s = np.nextafter(max(blind, default=0.0), np.inf)
    assert safe_s >= until_s or not steps or steps[0].time_s > until_s
    assert before(note_ons(changed.sends), safe_s) == before(note_ons(whole.sends), safe_s)
    assert known(changed, until_s) == known(whole, until_s)


@MIDI_CLOCKS
def test_a_melody_is_answered_and_every_key_let_go_within_two_bars(folder: Path, clock: MidiClock) -> None:
    performance, _ = play_hand(folder, melody(), clock)
    end_s = performance.input_s
    assert end_s == pytest.approx(32 * BEAT_S, abs=0.05)
    assert len(before(note_ons(performance.sends), end_s)) >= 5
    assert let_go(performance.sends)
    assert max(send.due_s for send in performance.sends) <= end_s + 8 * BEAT_S * 1.02


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
def test_every_strike_leaves_before_it_is_due(folder: Path, clock: MidiClock) -> None:
    performance, _ = play_hand(folder, melody(), clock)
    strikes = [send for send in performance.sends if send.kind == "note_on"]
    assert strikes and all(send.sent_s < send.due_s for send in strikes)


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

    def play(self, step: Step) -> tuple[str | None, list[Strike], list[int] | None]:
        return None, [Strike(step.time_s, 48, 70, None)], []

    def reset(self) -> None:
        """Remembers nothing."""


def test_a_step_that_comes_too_late_strikes_nothing() -> None:
    engine = Engine(clock=LateClock(), player=Striker())
    assert not [event for event in engine.step(None, 1.0) if isinstance(event, Send)]
    assert not engine.held


# --- the engine by itself


def test_a_listener_hears_and_plays_nothing(folder: Path) -> None:
    source, part = midi(folder / "listen.mid", melody(2))
    performance = play_midi(Engine(clock=make_clock("file", midi=source)), part, HOP_S)
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


def test_panic_lets_go_of_every_key_at_once(folder: Path) -> None:
    source, part = midi(folder / "panic.mid", melody())
    engine = Engine(clock=make_clock("file", midi=source), player=fresh_left_hand())
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
