"""Defines the events that parts of the engine exchange: heard notes, beats, chords and messages to send.

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
"""Drum channel of General MIDI: channel 10, counted from 0."""
SUSTAIN, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123
"""MIDI controller numbers."""
ENDS_NOTES = frozenset({ALL_SOUND_OFF, *range(ALL_NOTES_OFF, 128)})
"""Controller numbers that end all notes of their channel: 120, 123, and 124 to 127, which change the channel's mode."""
UNISON_S = 0.010
"""Seconds. Strikes of one key within this time, from any voice, track or channel, are one note: fingers are slower."""
LONGEST_KEY_S = 30.0
"""Seconds. A key that is down for longer is taken as released, because its release was lost: no piano string sounds so
long. This holds for a keyboard and for a MIDI file."""
UNRELEASED_S = 2.0
"""Seconds that a key stays down at most, on a MIDI channel that releases no key at all.

A key that is struck at the very end of the track of a file, which does not release it, stays down for as long.
"""

Hand: TypeAlias = Literal["right", "left", "own"]


@dataclass(frozen=True, slots=True)
class Note:
    """Describes a note that was heard.

    `decided_s` is the time at which the note was known: source samples read so far / source rate when the note left the
    gate. For MIDI input it is the time of the message. `offset_s` is the time at which the key went up, even if the
    pedal is down. It is None while the key is still down.
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
    """Reports that a note's onset was decided."""

    note: Note


@dataclass(frozen=True, slots=True)
class NoteEnded:
    """Reports that the note on `pitch` that began at `onset_s` ended at `offset_s`; `decided_s` is as in `Note`."""

    pitch: int
    onset_s: float
    offset_s: float
    decided_s: float


DoubtKind: TypeAlias = Literal["silence", "few onsets", "other tempo", "other place", "uneven", "count-in", "no pulses"]
"""Why a clock is unsure of its beat: see `Doubt`."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Says why a clock is unsure of its beat.

    `kind` has one of these values. "silence": no onset came for `beats` beats. "few onsets": the music has just begun.
    "other tempo" and "other place": the onsets fit another tempo, or another place in the beat, about as well as the
    present one. "uneven": they fit no steady beat well. "count-in": they contradict the count-in. "no pulses": no
    pulses of a MIDI clock arrive any more. `beats` is None for all kinds but "silence".
    """

    kind: DoubtKind
    beats: int | None = None


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat of the clock.

    `time_s` is the time of the beat. `predicted_at_s` is the earlier time at which the clock fixed it. `position`
    counts the beats of the bar from 0. `lock` is how surely the clock knows the beat: 0 means lost, 1 means sure.
    `bar_beats` is the number of beats in a bar as the left hand plays it. It differs from the signature's in 12/8 and
    in 3/8, which are played as 6/8. `doubt` is why `lock` is low, or None if it is not.
    """

    time_s: float
    predicted_at_s: float
    position: int
    lock: float
    bar_beats: int
    doubt: Doubt | None = None


@dataclass(frozen=True, slots=True)
class ChordChosen:
    """Reports the left hand's harmony from `time_s` on, as a chord label such as `C`, `Am` or `G7`."""

    time_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Send:
    """A MIDI message of the left hand that must sound at `due_s`. It left the engine at `sent_s`.

    If `kind` is "control", `pitch` is the controller number and `velocity` is the controller value.
    """

    due_s: float
    sent_s: float
    kind: Literal["note_on", "note_off", "control"]
    pitch: int
    velocity: int


Event: TypeAlias = NoteHeard | NoteEnded | Beat | ChordChosen | Send
