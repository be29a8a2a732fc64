"""The shipped left hand, right hands that are played to it, and the messages that it sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import mido

from device.assemble import left_hand_of
from device.clock.step import Clock, Step
from device.events import Send
from device.files.midi.file import MidiInput, read_midi
from device.files.midi.notes import Part
from device.files.performance import Performance
from device.left_hand.player import LeftHand
from device.settings.choices import AS_THE_NET_PLAYS
from tests.unit.helpers.shipped import bundle

HOP_S = 0.016
TEMPO, TICKS = 120, 480
BEAT_S = 60 / TEMPO

NoteOn = tuple[float, int, int]
Struck = tuple[int, int, int]
"""Tick, length in ticks, pitch."""


@cache
def left_hand() -> LeftHand:
    """Return one left hand for all runs, which reset it before use."""
    return left_hand_of(bundle())


def fresh_left_hand() -> LeftHand:
    """Return the left hand as it is at the start of a run: armed, not steered, and as if it had heard nothing."""
    hand = left_hand()
    hand.armed, hand.hold, hand.steering = True, False, AS_THE_NET_PLAYS
    hand.reset()
    return hand


def gap_steps() -> float:
    return float(bundle().manifest.accompanist["gap_steps"])


@dataclass
class Watched:
    """A clock and the steps that it returned."""

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
    """Return whether each key's messages alternate on and off, at due times that never decrease."""
    for pitch in {send.pitch for send in sends}:
        of_key = [send for send in sends if send.pitch == pitch and send.kind != "control"]
        kinds = [send.kind for send in of_key]
        if kinds != ["note_on", "note_off"] * (len(kinds) // 2):
            return False
        if [send.due_s for send in of_key] != sorted(send.due_s for send in of_key):
            return False
    return True


def known(performance: Performance, until_s: float) -> list[tuple[float, int, int, float, float, str]]:
    """Return the notes decided by that time. Their offsets may be open."""
    return [
        (n.onset_s, n.pitch, n.velocity, n.confidence, n.decided_s, n.hand)
        for n in performance.notes
        if n.decided_s <= until_s
    ]


def melody(bars: int = 8) -> list[Struck]:
    """Return a count-in of one bar, then the chords F, G, C and C, broken into quarters and eighths."""
    struck = [(beat * TICKS, TICKS - 20, 72) for beat in range(4)]
    for bar in range(1, bars):
        root = (60, 65, 67, 60)[bar % 4]
        for place, length, above in ((0, 1, 0), (1, 0.5, 4), (1.5, 0.5, 7), (2, 1, 12), (3, 1, 7)):
            struck.append((round((4 * bar + place) * TICKS), round(length * TICKS) - 20, root + 12 + above))
    return struck


def midi(path: Path, struck: Sequence[Struck]) -> tuple[MidiInput, Part]:
    """Return a MIDI file with one track at 120 quarters a minute, read as `lefthand play` reads it."""
    timed = [(at, 1, pitch) for at, _, pitch in struck] + [(at + length, 0, pitch) for at, length, pitch in struck]
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO))])
    last = 0
    for tick, is_on, pitch in sorted(timed):
        track.append(mido.Message("note_on", note=pitch, velocity=70 * is_on, time=tick - last))
        last = tick
    mido.MidiFile(tracks=[track], ticks_per_beat=TICKS).save(path)
    source = read_midi(path)
    return source, source.part()
