"""Reads a right hand from a MIDI file, and writes a left hand to a MIDI file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mido

from device.clock.tempo_map import TICKS_PER_BEAT, TempoMap
from device.errors import UserError
from device.events import DRUM_CHANNEL, KEYS, LOWEST_KEY, SUSTAIN, Hand, Note, NoteEnded, NoteHeard, Send
from device.files.sound_file import check_present
from device.files.unfinished_midi import complete
from device.printable import printable

_SHORTEST_TICKS = 1
"""Shortest length of a written note in ticks. With 0 its note-off could come before its note-on."""


@dataclass(frozen=True)
class Part:
    """The notes of one track, or of one channel if the file has a single track."""

    number: int
    name: str
    notes: tuple[Note, ...]
    drums: bool
    end_s: float
    """Time in seconds at which the last key is released."""

    def split(self, lowest: int) -> Part:
        """Return a copy of this part in which the notes below the pitch `lowest` belong to the left hand."""
        left = (replace(note, hand="left") if note.pitch < lowest else note for note in self.notes)
        return replace(self, notes=tuple(left))

    def __str__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"{self.number}{name} ({len(self.notes)} notes)"


@dataclass(frozen=True)
class MidiInput:
    """A MIDI file's parts, for the right hand, and its tempo and metre, for `--clock file`."""

    path: Path
    tempo_map: TempoMap
    signatures: tuple[tuple[int, int, int], ...]
    """(tick, beats in a bar, beat type) of each time signature, as written."""
    conductor: tuple[tuple[int, mido.MetaMessage], ...]
    """(tick, message) of every tempo, time signature and key signature."""
    parts: tuple[Part, ...]
    end_tick: int

    def part(self, wanted: str | None = None) -> Part:
        """Return the part with notes that are not drums. `wanted`, its number or name, selects one of several.

        Raises UserError if no part has notes, or if not exactly one part matches.
        """
        playable = [part for part in self.parts if not part.drums]
        if not playable:
            raise UserError(f"{self.path} holds no notes (channel 10 is never a right hand): give another file.")
        listing = ", ".join(map(str, playable))
        if wanted is None:
            if len(playable) > 1:
                raise UserError(f"{self.path} has several tracks with notes: choose one with --track: {listing}.")
            return playable[0]
        found = [p for p in playable if str(p.number) == wanted.strip()] or [
            p for p in playable if p.name.casefold() == printable(wanted.strip()).casefold()
        ]
        if len(found) != 1:
            which = "no track" if not found else "more than one track"
            raise UserError(f"{self.path} has {which} {wanted!r} with notes for a hand: choose from {listing}.")
        return found[0]


def read_midi(path: Path) -> MidiInput:
    """Read a MIDI file of type 0 or 1. Raises UserError if it is missing, empty, cut short or not such a file.

    A recording that nobody finished is read up to its last whole message.
    """
    check_present(path)
    try:
        file = mido.MidiFile(file=io.BytesIO(complete(path.read_bytes())), clip=True)
    except EOFError:
        raise UserError(f"{path} is cut short or not a MIDI file: export or copy it again.") from None
    except (OSError, ValueError, LookupError, mido.KeySignatureError) as error:
        raise UserError(f"{path} is not a MIDI file that can be read ({error}): export it again.") from None
    if file.type == 2 or file.ticks_per_beat == 0:
        raise UserError(f"{path} is a MIDI file of a kind without one common time: export it as type 0 or 1.")
    tracks = [_absolute(track) for track in file.tracks]
    conductor = sorted(
        (
            (tick, m)
            for track in tracks
            for tick, m in track
            if m.type in ("set_tempo", "time_signature", "key_signature")
        ),
        key=lambda timed: timed[0],
    )
    tempo_map = TempoMap(file.ticks_per_beat, [(tick, m.tempo) for tick, m in conductor if m.type == "set_tempo"])
    end_ticks = [track[-1][0] for track in tracks if track]
    return MidiInput(
        path=path,
        tempo_map=tempo_map,
        signatures=tuple((t, m.numerator, m.denominator) for t, m in conductor if m.type == "time_signature"),
        conductor=tuple(conductor),
        parts=tuple(_parts(tracks, tempo_map)),
        end_tick=max(end_ticks, default=0),
    )


def events(notes: Sequence[Note]) -> list[NoteHeard | NoteEnded]:
    """Return the events that a hearing would give for `notes`, ordered by time; at equal times ends come first."""
    told: list[tuple[float, int, NoteHeard | NoteEnded]] = []
    for note in notes:
        told.append((note.onset_s, 1, NoteHeard(note)))
        if note.offset_s is not None:
            ended = NoteEnded(note.pitch, note.onset_s, note.offset_s, decided_s=note.offset_s)
            told.append((note.offset_s, 0 if note.offset_s > note.onset_s else 2, ended))
    return [event for _, _, event in sorted(told, key=lambda t: t[:2])]


def write_midi(path: Path, sends: Sequence[Send], like: MidiInput | None = None, tempo: float = 120.0) -> None:
    """Write the messages `sends`, at their due times from zero, as a tempo track and one note track.

    With `like`, the file takes its ticks per beat, tempo map and time signatures from that file. Otherwise its tempo
    is `tempo` quarters a minute. Each key's messages are put in order, and keys still down at the end are released.
    """
    if like is None:
        tempo_map = TempoMap(TICKS_PER_BEAT, [(0, mido.bpm2tempo(tempo))])
        conductor: list[tuple[int, mido.Message | mido.MetaMessage]] = [
            (0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo)))
        ]
    else:
        tempo_map, conductor = like.tempo_map, list(like.conductor)
    file = mido.MidiFile(type=1, ticks_per_beat=tempo_map.ticks_per_beat)
    file.tracks.append(_track("", conductor))
    file.tracks.append(_track("Left hand", _messages(sends, tempo_map)))
    file.save(str(path))


def sent_notes(path: Path) -> list[tuple[int, float, float]]:
    """Return (pitch, on, off) in seconds of every note in a file of the box's sent messages, ordered by onset."""
    notes = [note for part in read_midi(path).parts if not part.drums for note in part.notes]
    return sorted(((n.pitch, n.onset_s, n.offset_s or n.onset_s) for n in notes), key=lambda n: (n[1], n[0]))


def notes_of(sends: Sequence[Send], hand: Hand = "left") -> list[Note]:
    """Return the notes that the messages `sends` play, ordered by onset. Each note ends at its note-off."""
    down: dict[int, Send] = {}
    notes: list[Note] = []

    def close(on: Send, off_s: float | None) -> None:
        notes.append(Note(on.due_s, off_s, on.pitch, on.velocity, 1.0, on.sent_s, hand))

    for send in _in_order(sends):
        if send.kind == "control":
            continue
        if send.pitch in down:
            close(down.pop(send.pitch), send.due_s)
        if send.kind == "note_on":
            down[send.pitch] = send
    for on in down.values():
        close(on, None)
    return sorted(notes, key=lambda n: (n.onset_s, n.pitch))


def ringing_notes(sends: Sequence[Send]) -> list[Note]:
    """Return the notes of `notes_of` with their sounding lengths.

    A note that is released while the pedal is down rings until the pedal goes up or its key is struck again.
    """
    down: list[tuple[float, float]] = []
    began_s: float | None = None
    for send in _in_order(sends):
        if send.kind == "control" and send.pitch == SUSTAIN:
            if send.velocity and began_s is None:
                began_s = send.due_s
            elif not send.velocity and began_s is not None:
                down.append((began_s, send.due_s))
                began_s = None
    notes = notes_of(sends)
    again: dict[int, float] = {}
    ringing: list[Note] = []
    for note in reversed(notes):
        off_s = note.offset_s
        if off_s is not None:
            up_s = max([off_s, *(up for on, up in down if on <= off_s < up)])
            off_s = max(off_s, min(up_s, again.get(note.pitch, up_s)))
        again[note.pitch] = note.onset_s
        ringing.append(replace(note, offset_s=off_s))
    return ringing[::-1]


def _in_order(sends: Sequence[Send]) -> list[Send]:
    """Sort by due time. At equal times other messages come before note-ons; otherwise the order of sending stays."""
    return sorted(sends, key=lambda s: (s.due_s, s.kind == "note_on"))


def _messages(sends: Sequence[Send], tempo_map: TempoMap) -> list[tuple[int, mido.Message]]:
    """Return (tick, message). Every note lasts at least one tick and ends before its key is struck again."""
    timed: list[tuple[int, int, mido.Message]] = []
    for send in sends:
        if send.kind == "control":
            message = mido.Message("control_change", control=send.pitch, value=send.velocity)
            timed.append((tempo_map.tick(send.due_s), 1, message))
    free_from: dict[int, int] = {}
    for note in notes_of(sends):
        on = max(tempo_map.tick(note.onset_s), free_from.get(note.pitch, 0))
        off = tempo_map.tick(note.offset_s) if note.offset_s is not None else on
        off = max(off, on + _SHORTEST_TICKS)
        free_from[note.pitch] = off
        timed.append((on, 2, mido.Message("note_on", note=note.pitch, velocity=note.velocity)))
        timed.append((off, 0, mido.Message("note_off", note=note.pitch)))
    return [(tick, message) for tick, _, message in sorted(timed, key=lambda t: t[:2])]


def _track(name: str, timed: Sequence[tuple[int, mido.Message | mido.MetaMessage]]) -> mido.MidiTrack:
    track = mido.MidiTrack()
    if name:
        track.append(mido.MetaMessage("track_name", name=name))
    last = 0
    for tick, message in timed:
        track.append(message.copy(time=tick - last))
        last = tick
    track.append(mido.MetaMessage("end_of_track"))
    return track


def _absolute(track: mido.MidiTrack) -> list[tuple[int, mido.Message | mido.MetaMessage]]:
    tick = 0
    timed = []
    for message in track:
        tick += message.time
        timed.append((tick, message))
    return timed


def _parts(tracks: list[list[tuple[int, mido.Message]]], tempo_map: TempoMap) -> list[Part]:
    """Return the tracks with notes, numbered from 0 as in the file. A single track gives its channels, from 1."""
    parts: list[Part] = []
    for number, track in enumerate(tracks):
        channels = sorted({m.channel for _, m in track if m.type == "note_on" and m.velocity > 0})
        name = next((printable(m.name.strip()) for _, m in track if m.type == "track_name"), "")
        groups = [(number, name, channels)]
        if len(tracks) == 1:
            groups = [(channel + 1, f"channel {channel + 1}", [channel]) for channel in channels]
        for part_number, part_name, used in groups:
            melodic = [channel for channel in used if channel != DRUM_CHANNEL]
            notes = _notes(track, melodic or used, tempo_map)
            if notes:
                end_s = max(note.offset_s or note.onset_s for note in notes)
                parts.append(Part(part_number, part_name, tuple(notes), drums=not melodic, end_s=end_s))
    return parts


def _notes(track: list[tuple[int, mido.Message]], channels: list[int], tempo_map: TempoMap) -> list[Note]:
    """Return the notes on `channels` within the piano's range.

    A second stroke of a key ends its first note. The end of the track ends all open notes.
    """
    down: dict[int, tuple[int, int]] = {}
    notes: list[Note] = []

    def close(pitch: int, tick: int) -> None:
        on, velocity = down.pop(pitch)
        onset_s = tempo_map.seconds(on)
        notes.append(Note(onset_s, tempo_map.seconds(tick), pitch, velocity, 1.0, onset_s, "right"))

    last = 0
    for tick, message in track:
        last = tick
        if message.type not in ("note_on", "note_off") or message.channel not in channels:
            continue
        if not LOWEST_KEY <= message.note < LOWEST_KEY + KEYS:
            continue
        if message.note in down:
            close(message.note, tick)
        if message.type == "note_on" and message.velocity > 0:
            down[message.note] = (tick, message.velocity)
    for pitch in list(down):
        close(pitch, last)
    return sorted(notes, key=lambda n: (n.onset_s, n.pitch))
