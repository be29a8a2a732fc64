"""Collects the events of one run of the engine. All output files are written from this collection."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, MutableSequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

from device.events import Beat, ChordChosen, Event, Note, NoteEnded, NoteHeard, Send

BEATS_LOOKED_AT = 8
"""Number of last beats from which the length of a bar is computed."""
UNKNOWN_BARS_S = 2.0
"""Seconds assumed for two bars if there are too few beats. This is the length of two quick bars."""

Kind: TypeAlias = Literal["audio", "midi"]


@dataclass
class Performance:
    """Collects the events of a run in the order in which they left the engine.

    `input_s` is the input's length in seconds. Notes that were decided after the input's end are left out. Therefore a
    recording that is cut gives the same notes as the whole recording up to that time.
    """

    kind: Kind
    input_s: float
    hop_s: float
    beats: list[Beat] = field(default_factory=list)
    chords: list[ChordChosen] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    hop_times_s: MutableSequence[float] = field(default_factory=lambda: array("d"))
    """Seconds of computing time of the engine for each hop."""
    warnings: list[str] = field(default_factory=list)
    beat: str = ""
    """Sentence about where the beat came from. It is empty if nothing was played to."""
    left_out: list[Path] = field(default_factory=list)
    """Outputs that were not written; `warnings` says why."""
    _notes: dict[tuple[int, float], Note] = field(default_factory=dict)

    @property
    def notes(self) -> list[Note]:
        """Return every heard note, with its offset if that was heard too."""
        return list(self._notes.values())

    @property
    def two_bars_s(self) -> float:
        """Return the length of two bars in seconds, from the last beats; UNKNOWN_BARS_S before the second beat."""
        latest = self.beats[-BEATS_LOOKED_AT:]
        if len(latest) < 2:
            return UNKNOWN_BARS_S
        beat_s = min(later.time_s - earlier.time_s for earlier, later in pairwise(latest))
        return 2 * beat_s * latest[-1].bar_beats

    def close(self) -> None:
        """Cut the left hand two bars after the input's end.

        Later note-ons are dropped with their note-offs, and other later messages are moved to that time.
        """
        latest_s = self.input_s + self.two_bars_s
        kept: list[Send] = []
        down: set[int] = set()
        for send in self.sends:
            if send.kind == "note_on":
                if send.due_s >= latest_s:
                    continue
                down.add(send.pitch)
            elif send.kind == "note_off":
                if send.pitch not in down:
                    continue
                down.remove(send.pitch)
            kept.append(replace(send, due_s=min(send.due_s, latest_s)))
        self.sends = kept

    @property
    def end_s(self) -> float:
        """Return the time in seconds at which both the input and the left hand have ended."""
        return max([self.input_s, *(send.due_s for send in self.sends)])

    def collect(self, events: Iterable[Event]) -> None:
        """Add the notes, beats, chords and sent messages among `events` of the engine. Ignore other events."""
        for event in events:
            match event:
                case NoteHeard(note):
                    if note.decided_s <= self.input_s:
                        self._notes[note.pitch, note.onset_s] = note
                case NoteEnded(pitch, onset_s, offset_s):
                    if (pitch, onset_s) in self._notes:
                        heard = self._notes[pitch, onset_s]
                        self._notes[pitch, onset_s] = replace(heard, offset_s=offset_s)
                case Beat():
                    self.beats.append(event)
                case ChordChosen():
                    self.chords.append(event)
                case Send():
                    self.sends.append(event)
