"""Defines what is kept of the bytes of a MIDI file: the messages that begin or end notes, tempos and signatures."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Struck:
    """Holds one note message. At `tick` a key goes down, or up if `velocity` is 0. `channel` counts from 0."""

    tick: int
    channel: int
    pitch: int
    velocity: int


@dataclass(frozen=True, slots=True)
class Silenced:
    """Says that all notes of `channel` end at `tick`. If `channel` is None, the notes of every channel end."""

    tick: int
    channel: int | None


@dataclass
class RawTrack:
    """Holds those messages of one track that begin or end notes, in order, with ticks from the start of the file."""

    name: str = ""
    raw_name: bytes = b""
    """The name as it stands in the file."""
    port: bytes = b"\0"
    """MIDI port or device by the events 0x21 and 0x09, else the first port. Channels of other ports are others."""
    messages: list[Struck | Silenced] = field(default_factory=list)
    last_tick: int = 0
    """Tick of the last channel message."""
    end_tick: int = 0
    """Tick of the end of the track."""


@dataclass
class RawMidi:
    """Holds the parts of a MIDI file that lefthand uses, in ticks: notes, tempos and signatures.

    Flaws were passed over.
    """

    format: int
    ticks_per_beat: int
    """Ticks in a quarter; negative for SMPTE time, as in the file."""
    tracks: list[RawTrack] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    """(tick, microseconds per quarter)."""
    signatures: list[tuple[int, int, int]] = field(default_factory=list)
    """(tick, beats in a bar, beat type)."""
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    """(tick, number of sharps or minus the number of flats, whether the key is minor)."""
    flaws: dict[str, None] = field(default_factory=dict)
    """Each kind of flaw that was passed over, in words."""
    messages: int = 0
    """Number of messages in all tracks."""
    searches: int = 0
    """Number of times that the next message had to be looked for."""
