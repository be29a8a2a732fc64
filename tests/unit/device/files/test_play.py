"""`lefthand play` on a file: times counted in the source, truncated inputs, sent messages, and a silent end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from device.clock.file_clock import FileClock
from device.clock.step import Clock, Step
from device.engine import Engine
from device.events import Note, NoteEnded, NoteHeard
from device.files.midi.notes import Part
from device.files.midi_run import LONGEST_SILENCE_S, play_midi
from device.files.performance import Performance
from device.files.play import play_sound
from device.files.sound.file import SoundFile
from device.hearing.features import FeatureSpec
from device.hearing.pipeline import Hearing
from device.hearing.resample import Hops
from device.left_hand.performer import Move, Strike
from device.make_clock import make_clock

HOP_S = 0.016
LOOK_AHEAD, LENGTH = 3, 20
"""Hops between a click and its decision, and between its decision and its end."""


class ClickHearing:
    """Reports middle C for every hop with a click, three hops late, and the note's end twenty hops later."""

    def __init__(self) -> None:
        self.spec = FeatureSpec()
        self._hop, self._loud = 0, False
        self._due: dict[int, list[NoteHeard | NoteEnded]] = {}
        self.told: list[tuple[float, str, int, float]] = []
        self._now_s = 0.0

    @property
    def pending(self) -> bool:
        return bool(self._due)

    def note_on(self, pitch: int, on_s: float, off_s: float = float("inf")) -> None:
        self.told.append((self._now_s, "on", pitch, on_s))

    def note_off(self, pitch: int, off_s: float) -> None:
        self.told.append((self._now_s, "off", pitch, off_s))

    def step(self, hop: NDArray[np.float32], now_s: float) -> list[NoteHeard | NoteEnded]:
        self._now_s, self._hop = now_s, self._hop + 1
        loud, before = bool(np.max(np.abs(hop)) > 0.3), self._loud
        self._loud = loud
        if loud and not before:
            onset_s = (self._hop - 0.5) * HOP_S
            decided_hop = self._hop + LOOK_AHEAD
            decided_s = now_s + LOOK_AHEAD * HOP_S
            note = Note(onset_s, None, 60, 64, 1.0, decided_s, "right")
            self._due.setdefault(decided_hop, []).append(NoteHeard(note))
            ended = NoteEnded(60, onset_s, onset_s + 0.3, decided_s + LENGTH * HOP_S)
            self._due.setdefault(decided_hop + LENGTH, []).append(ended)
        return self._due.pop(self._hop, [])


class EveryBeat:
    """Strikes C3 on every beat and holds it until the next one."""

    def hear(self, note: Note) -> None:
        """Nothing changes its mind."""

    def end(self, ended: NoteEnded) -> None:
        """Nothing changes its mind."""

    def play(self, step: Step) -> Move:
        if not step.is_beat:
            return Move(None, [], [], None)
        return Move("C" if step.is_bar else None, [Strike(step.time_s, 48, 70, None)], [48], None)

    def reset(self) -> None:
        """Remembers nothing."""


def clicks(path: Path, seconds: float, rate: int = 44_100) -> SoundFile:
    """A click every half second from 0.5 s on."""
    samples = np.zeros(int(seconds * rate), np.float32)
    for at in range(rate // 2, len(samples), rate // 2):
        samples[at : at + rate // 100] = 0.9
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return SoundFile(path)


def engine(hearing: ClickHearing | None, tempo: float = 120.0, plays: bool = True) -> Engine:
    return Engine(
        clock=make_clock("fixed", tempo),
        hearing=cast(Hearing, hearing),
        player=EveryBeat() if plays else None,
    )


def listen(sound: SoundFile, sent: Sequence[tuple[int, float, float]] = ()) -> tuple[Performance, ClickHearing]:
    hearing = ClickHearing()
    return play_sound(engine(hearing), sound, Hops(sound.rate, 16_000, 256), sent), hearing


def note_ons(performance: Performance) -> list[tuple[float, int]]:
    return [(send.due_s, send.pitch) for send in performance.sends if send.kind == "note_on"]


def right_hand(*onsets: float) -> Part:
    notes = tuple(Note(at, at + 0.2, 60, 64, 1.0, at, "right") for at in onsets)
    return Part(1, "RH", notes, drums=False, end_s=onsets[-1] + 0.2)


@pytest.mark.parametrize("seconds", [2.0, 2.53, 2.56, 2.6, 3.017])
def test_a_cut_recording_gives_the_notes_that_the_whole_had_given_by_then(tmp_path: Path, seconds: float) -> None:
    whole, _ = listen(clicks(tmp_path / "whole.wav", 6.0))
    cut, _ = listen(clicks(tmp_path / "cut.wav", seconds))
    known = [(n.onset_s, n.pitch, n.decided_s) for n in whole.notes if n.decided_s <= cut.input_s]
    assert [(n.onset_s, n.pitch, n.decided_s) for n in cut.notes] == known
    assert note_ons(whole) and [on for on in note_ons(cut) if on[0] < seconds] == [
        on for on in note_ons(whole) if on[0] < seconds
    ]


def test_a_decision_comes_after_the_sound_the_resampler_and_the_look_ahead(tmp_path: Path) -> None:
    performance, _ = listen(clicks(tmp_path / "a.wav", 2.0))
    assert [n.decided_s - n.onset_s for n in performance.notes] == pytest.approx([0.0585] * 3, abs=0.003)


def test_silence_is_fed_until_no_note_is_open(tmp_path: Path) -> None:
    performance, hearing = listen(clicks(tmp_path / "a.wav", 2.1))
    assert performance.notes[-1].offset_s is not None
    assert not hearing.pending


def test_all_is_let_go_within_two_bars_of_the_end(tmp_path: Path) -> None:
    performance, _ = listen(clicks(tmp_path / "a.wav", 4.0))
    ons = sum(send.kind == "note_on" for send in performance.sends)
    assert ons == sum(send.kind == "note_off" for send in performance.sends) > 0
    assert max(send.due_s for send in performance.sends) <= 4.0 + 2 * 4 * 0.5


def test_the_left_hand_plays_on_for_two_bars_after_a_sound_but_not_after_a_capture(tmp_path: Path) -> None:
    path = clicks(tmp_path / "a.wav", 4.0).path
    ends_s = []
    for is_capture in (False, True):
        sound = SoundFile(path, is_capture=is_capture)
        performance = play_sound(engine(ClickHearing()), sound, Hops(sound.rate, 16_000, 256))
        ends_s.append(max(at_s for at_s, _ in note_ons(performance)))
    assert ends_s[0] == pytest.approx(4.0 + 2 * 4 * 0.5 - 0.5, abs=HOP_S)
    assert ends_s[1] <= 4.0 + 0.5


def test_what_was_sent_is_told_when_it_was_sent_and_not_before(tmp_path: Path) -> None:
    _, hearing = listen(clicks(tmp_path / "a.wav", 2.0), [(50, 0.4, 0.9), (52, 0.5, 0.5), (50, 0.9, 1.2)])
    assert [(what, pitch, at) for _, what, pitch, at in hearing.told] == [
        ("on", 50, 0.4),
        ("on", 52, 0.5),
        ("off", 52, 0.52),
        ("off", 50, 0.9),
        ("on", 50, 0.9),
        ("off", 50, 1.2),
    ]
    assert all(at - HOP_S <= told_before < at for told_before, _, _, at in hearing.told)


def test_a_listener_sends_nothing(tmp_path: Path) -> None:
    sound = clicks(tmp_path / "a.wav", 2.0)
    performance = play_sound(engine(ClickHearing(), plays=False), sound, Hops(sound.rate, 16_000, 256))
    assert len(performance.notes) == 3
    assert not performance.sends and not performance.beats


def test_every_hop_is_timed_and_progress_reaches_the_end(tmp_path: Path) -> None:
    sound, done = clicks(tmp_path / "a.wav", 2.0), list[float]()
    performance = play_sound(engine(ClickHearing()), sound, Hops(sound.rate, 16_000, 256), progress=done.append)
    assert len(performance.hop_times_s) >= 2.0 / HOP_S
    assert done == sorted(done) and done[-1] == 2.0


def test_midi_notes_are_decided_when_they_are_struck() -> None:
    performance = play_midi(engine(None), right_hand(0.5, 1.0, 1.5), HOP_S)
    assert [(n.onset_s, n.offset_s, n.decided_s) for n in performance.notes] == [
        (0.5, 0.7, 0.5),
        (1.0, 1.2, 1.0),
        (1.5, 1.7, 1.5),
    ]


def test_a_known_grid_is_told_from_time_zero_on() -> None:
    notes = right_hand(0.0, 0.5, 1.0)
    grid = FileClock.from_map(480, [(0, 500_000)], [(0, 4, 4)], end_tick=1_440)
    performance = play_midi(Engine(clock=grid, player=EveryBeat()), notes, HOP_S)
    assert [beat.time_s for beat in performance.beats][:3] == [0.0, 0.5, 1.0]
    assert all(beat.predicted_at_s <= beat.time_s for beat in performance.beats)


@pytest.mark.parametrize("kept", [2, 3, 5])
def test_a_cut_midi_input_changes_no_note_on_before_the_cut(kept: int) -> None:
    onsets = [0.5, 1.0, 1.5, 2.0, 3.5, 4.0, 4.5, 5.0]
    whole = play_midi(engine(None), right_hand(*onsets), HOP_S)
    cut = play_midi(engine(None), right_hand(*onsets[:kept]), HOP_S)
    before = [on for on in note_ons(whole) if on[0] < onsets[kept]]
    assert before and [on for on in note_ons(cut) if on[0] < onsets[kept]] == before


def test_a_midi_input_is_over_two_bars_after_its_last_note() -> None:
    performance = play_midi(engine(None), right_hand(*np.arange(0.5, 8.0, 0.5)), HOP_S)
    assert max(send.due_s for send in performance.sends) <= performance.input_s + 2 * 4 * 0.5


@dataclass
class GridThatKeepsQuiet:
    """A known grid that does not tell when its next step is due, so that the engine runs every hop."""

    inner: FileClock
    counting_in: bool = False

    def hear(self, onset_s: float, decided_s: float, pitch: int) -> None:
        """The grid is known."""

    def due(self, now_s: float) -> Step | None:
        return self.inner.due(now_s)


@pytest.mark.parametrize("seed", range(4))
def test_hops_without_work_are_left_out_and_nothing_is_changed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    onsets_s = np.cumsum(rng.choice([0.1, 0.25, 0.9, 7.0, 31.0, 65.0], 40)).tolist()
    tempos = [(0, 500_000), (2_000, 700_000 + seed), (5_000, 250_000)]

    def played(quiet: bool) -> Performance:
        grid = FileClock.from_map(480, tempos, [(0, 4, 4), (3_840, 6, 8)], end_tick=int(onsets_s[-1] * 1_000))
        clock = cast(Clock, GridThatKeepsQuiet(grid)) if quiet else grid
        return play_midi(Engine(clock=clock, player=EveryBeat()), right_hand(*onsets_s), HOP_S)

    every, busy = played(quiet=True), played(quiet=False)
    assert (busy.sends, busy.beats, busy.notes, busy.chords) == (every.sends, every.beats, every.notes, every.chords)
    assert len(every.sends) > 50 and len(busy.hop_times_s) < 0.5 * len(every.hop_times_s)


def test_a_silence_of_hours_takes_no_time_and_changes_nothing_before_it() -> None:
    near, far = [0.5, 1.0, 1.5, 2.0], 80_000.0
    grid = FileClock.from_map(480, [(0, 500_000)], [(0, 4, 4)], end_tick=int((far + 1) * 960))
    whole = play_midi(Engine(clock=grid, player=EveryBeat()), right_hand(*near, far), HOP_S)
    assert len(whole.hop_times_s) < (LONGEST_SILENCE_S + 10) / HOP_S
    assert [n.onset_s for n in whole.notes] == [*near, far] and whole.notes[-1].decided_s == far
    short = play_midi(engine(None), right_hand(*near), HOP_S)
    assert [n.onset_s for n in short.notes] == near
    later = [beat.time_s for beat in whole.beats if beat.time_s > far - 5]
    assert later and abs(later[0] / 0.5 - round(later[0] / 0.5)) < 1e-6


def test_a_capture_is_played_through_its_silences() -> None:
    grid = FileClock.from_map(480, [(0, 500_000)], [(0, 4, 4)], end_tick=100_000)
    whole = play_midi(Engine(clock=grid, player=EveryBeat()), right_hand(0.5, 90.0), HOP_S, captured_s=0.0)
    assert len(whole.hop_times_s) >= 90.0 / HOP_S


def test_a_capture_that_ends_between_two_hops_ends_with_the_next_one() -> None:
    ended = play_midi(engine(None), right_hand(0.5), HOP_S, captured_s=62.6 * HOP_S)
    assert len(ended.hop_times_s) == 64
    assert [note.onset_s for note in ended.notes] == [0.5]
