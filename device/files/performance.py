"""What came of one run of the engine over an input: everything that its outputs are written from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, TypeAlias

from device.events import Beat, ChordChosen, Event, Note, NoteEnded, NoteHeard, Send

BEATS_LOOKED_AT = 8
"""For the length of a bar at the end."""
UNKNOWN_BARS_S = 2.0
"""Two quick bars, where no beat tells how long one is."""

Kind: TypeAlias = Literal["audio", "midi"]


@dataclass
class Performance:
    """Events in the order in which they left the engine; `input_s` is the length of the input in seconds.

    Notes decided after the input's end are left out: a cut recording gives the notes that the whole one had
    given by then.
    """

    kind: Kind
    input_s: float
    hop_s: float
    beats: list[Beat] = field(default_factory=list)
    chords: list[ChordChosen] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)
    hop_times_s: list[float] = field(default_factory=list)
    """How long the engine took for each hop."""
    warnings: list[str] = field(default_factory=list)
    _notes: dict[tuple[int, float], Note] = field(default_factory=dict)

    @property
    def notes(self) -> list[Note]:
        """Every note heard, with its offset where that was heard too."""
        return list(self._notes.values())

    @property
    def two_bars_s(self) -> float:
        """The length of the last two bars' beats, or `UNKNOWN_BARS_S` where there were too few."""
        latest = self.beats[-BEATS_LOOKED_AT:]
        if len(latest) < 2:
            return UNKNOWN_BARS_S
        beat_s = min(later.time_s - earlier.time_s for earlier, later in pairwise(latest))
        return 2 * beat_s * (1 + max(beat.position for beat in latest))

    def close(self) -> None:
        """No note-off stays later than two bars after the input's end, and no note begins there."""
        latest_s = self.input_s + self.two_bars_s
        self.sends = [
            send if send.due_s <= latest_s else replace(send, due_s=latest_s)
            for send in self.sends
            if send.kind != "note_on" or send.due_s < latest_s
        ]

    @property
    def end_s(self) -> float:
        """When input and left hand are both over."""
        return max([self.input_s, *(send.due_s for send in self.sends)])

    def collect(self, events: Iterable[Event]) -> None:
        """Take in what the engine told."""
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
