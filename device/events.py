"""What travels through the box: heard notes, beats, chords and messages to send.

Every time is in seconds of stream time, counted in samples from the start of the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

LOWEST_KEY = 21
"""MIDI pitch of the lowest of the piano's 88 keys (A0)."""
KEYS = 88
MIDDLE_C = 60
DRUM_CHANNEL = 9
"""General MIDI's drum channel, number 10, counted from 0."""
SUSTAIN, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123
"""Numbers of MIDI controllers."""

Hand: TypeAlias = Literal["right", "left", "own"]


@dataclass(frozen=True, slots=True)
class Note:
    """A note that was heard.

    `decided_s` is when it was known: source samples consumed / source rate as it left the gate
    (for MIDI input the time of the message). `offset_s` is when the key went up, whatever the pedal does; None while
    it is still down.
    """

    onset_s: float
    offset_s: float | None
    pitch: int
    velocity: int
    confidence: float
    decided_s: float
    hand: Hand


@dataclass(frozen=True, slots=True)
class NoteHeard:
    """A note's onset was decided."""

    note: Note


@dataclass(frozen=True, slots=True)
class NoteEnded:
    """The note on `pitch` that began at `onset_s` ended; `decided_s` as for `Note`."""

    pitch: int
    onset_s: float
    offset_s: float
    decided_s: float


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat of the clock: `position` counts beats in the bar from 0, `lock` is 0 (lost) to 1 (sure)."""

    time_s: float
    predicted_at_s: float
    position: int
    lock: float


@dataclass(frozen=True, slots=True)
class ChordChosen:
    """The left hand's harmony from `time_s` on, as a chord label such as `C`, `Am` or `G7`."""

    time_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Send:
    """A MIDI message of the left hand, to sound at `due_s`; it left the engine at `sent_s`.

    `kind` control carries the controller number in `pitch` and its value in `velocity`.
    """

    due_s: float
    sent_s: float
    kind: Literal["note_on", "note_off", "control"]
    pitch: int
    velocity: int


Event: TypeAlias = NoteHeard | NoteEnded | Beat | ChordChosen | Send
