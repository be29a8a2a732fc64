"""Reads a right hand from a MIDI file, and writes a left hand to a MIDI file."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

import mido

from device.clock.tempo_map import TICKS_PER_BEAT, TempoMap
from device.errors import UserError
from device.events import SUSTAIN, Hand, Note, NoteEnded, NoteHeard, Send
from device.files.input_present import check_present
from device.files.midi.bytes import parse
from device.files.midi.hands import named_melody, named_right, spread
from device.files.midi.notes import Part, check_playable, in_unison, parts_of, together
from device.files.midi.raw import RawMidi, Struck
from device.files.midi.tempo_units import right_tempos
from device.files.midi.unfinished import complete
from device.printable import printable

MOST_BYTES = 16_000_000
"""Largest MIDI file in bytes. An hour of a busy pianist has less than 1 MB, and a larger file takes long to read."""
ALL_TRACKS = "all"
"""Value of `--track` for all tracks that are not drums."""
FEWEST_COUNTS, UNEVEN = 3, 0.2
"""A count-in at the beginning of a file has at least so many notes, whose distances differ by at most this share."""
_SHORTEST_TICKS = 1
"""Shortest length of a written note in ticks. With 0 its note-off could come before its note-on."""
_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR_KEYS = ("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m")
"""mido's names of the key signatures, from seven flats to seven sharps."""


@dataclass(frozen=True)
class MidiInput:
    """Holds the contents of a MIDI file: its tempo, metre and parts. One or several parts are the right hand."""

    path: Path
    tempo_map: TempoMap
    signatures: tuple[tuple[int, int, int], ...]
    """(tick, beats in a bar, beat type) of each time signature, as written."""
    conductor: tuple[tuple[int, mido.MetaMessage], ...]
    """(tick, message) of every tempo, time signature and key signature."""
    parts: tuple[Part, ...]
    end_tick: int
    """Tick at which the last note ends."""
    tracks_end_s: float = 0.0
    """Time in seconds at which the last track ends, with the rest after its last message."""
    warnings: tuple[str, ...] = ()
    """A sentence that names the file and the flaws that were passed over, if it has any."""
    is_struck: bool = True
    """Whether the file has a note at all. Notes beyond the keys of a piano are in no part."""

    @property
    def first_tick(self) -> int:
        """Return the tick at which the first note begins; 0 if there is none."""
        return min((tick for tick, _ in self._struck), default=0)

    @property
    def music_tick(self) -> int:
        """Return the tick of the first note after a count-in, or of the first note of all without one.

        A count-in is FEWEST_COUNTS or more even notes on one key at the beginning.
        """
        struck = self._struck
        run = list(itertools.takewhile(lambda note: note[1] == struck[0][1], struck))
        gaps = [later[0] - earlier[0] for earlier, later in itertools.pairwise(run)]
        even = len(run) >= FEWEST_COUNTS and max(gaps) <= (1 + UNEVEN) * min(gaps)
        return struck[len(run)][0] if even and len(run) < len(struck) else self.first_tick

    @property
    def _struck(self) -> list[tuple[int, int]]:
        """Return (tick, pitch) of every note that is not of the drums, in order."""
        notes = {(note.onset_s, note.pitch) for part in self.parts if not part.drums for note in part.notes}
        return [(self.tempo_map.tick(onset_s), pitch) for onset_s, pitch in sorted(notes)]

    def part(self, wanted: str | None = None) -> Part:
        """Return the part that is the right hand: the only one with notes that are not drums, or what `wanted` names.

        Several parts that have the same notes, as those of a layered keyboard, count as one.

        `wanted` names one part by its number or name, or several, such as "1,2,5", or all ("all"). Several are played
        as one hand. Drums are a right hand only if there are no other notes and `wanted` names them. Raises UserError
        if no part has notes, if there are several and `wanted` is None, if a name in
        `wanted` does not fit exactly one part, or if the part is too long to be played.
        """
        playable = [part for part in self.parts if not part.drums]
        if not playable and self.parts and wanted is None:
            raise UserError(
                f"{self.path} has notes on channel 10 alone, which is that of drums: give another file, or --track all "
                f"if they are a right hand."
            )
        playable = playable or list(self.parts)
        if not playable:
            if self.is_struck:
                raise UserError(
                    f"{self.path} has notes, but none on the keys of a piano (A0 to C8): transpose it by octaves."
                )
            if self.warnings:
                raise UserError(f"{self.path} is damaged, and no note of it can be read: export or copy it again.")
            raise UserError(f"{self.path} holds no notes: give another file.")
        if wanted is not None:
            part = together(self._chosen(playable, printable(wanted.strip()).casefold()))
        elif (doubled := in_unison(playable)) is not None:
            part = doubled
        else:
            raise UserError(
                f"{self.path} has several tracks with notes: choose one with --track, several with --track "
                f"{playable[0].number},{playable[1].number}, or --track all: {_listing(playable)}; "
                f"{_advice(playable)}."
            )
        check_playable(part, self.path)
        return part

    def _chosen(self, playable: list[Part], wanted: str) -> list[Part]:
        """Return the parts that `wanted` names: one name as a whole, "all", or several names with commas.

        Raises UserError if a name does not fit exactly one part.
        """
        if wanted == ALL_TRACKS and not _named(playable, wanted):
            return playable
        whole = _named(playable, wanted)
        found: list[Part] = []
        for name in [wanted] if whole else [name for name in wanted.split(",") if name.strip()] or [wanted]:
            parts = _named(playable, name.strip())
            if len(parts) != 1:
                which = "no track" if not parts else "more than one track"
                raise UserError(
                    f"{self.path} has {which} {name.strip()!r} with notes for a hand: choose from {_listing(playable)}."
                )
            found += [part for part in parts if part not in found]
        return found


def _named(parts: list[Part], wanted: str) -> list[Part]:
    """Return the parts with this number, or else with this name."""
    numbered = [part for part in parts if str(part.number) == wanted]
    return numbered or [part for part in parts if part.name.casefold() == wanted]


def _advice(parts: list[Part]) -> str:
    """Return which of several parts is the right hand or the melody by its name, or else which one lies highest.

    If the parts seem to be one hand together, return that instead of the highest.
    """
    if right := named_right(parts):
        return f"by its name the right hand is {','.join(str(part.number) for part in right)}"
    if (melody := named_melody(parts)) is not None:
        return f"by its name the melody is {melody.number}"
    if spread(parts):
        return "they are used alike, as if they were one hand: --track all plays them as one"
    highest = max(parts, key=lambda part: fmean(note.pitch for note in part.notes))
    return f"the highest is {highest.number}"


def _listing(parts: list[Part]) -> str:
    return ", ".join(map(str, parts))


def read_midi(path: Path) -> MidiInput:
    """Read a MIDI file of type 0 or 1, or of type 2 with one piece, as far as it can be read.

    A recording that nobody finished is read to its end.

    Raises UserError if it is missing or empty, is not such a file, or is too large for a right hand.
    """
    check_present(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(f"holds more than {MOST_BYTES // 1_000_000} MB, and no pianist plays so many notes")
        raw = parse(complete(path.read_bytes()))
    except UserError as error:
        raise UserError(f"{path} {error}: export or copy it again.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}): copy it again.") from None
    has_frames, ticks_per_frame = raw.ticks_per_beat < 0, raw.ticks_per_beat & 0xFF
    pieces = sum(any(isinstance(message, Struck) for message in track.messages) for track in raw.tracks)
    if (raw.format == 2 and pieces > 1) or raw.ticks_per_beat == 0 or (has_frames and not ticks_per_frame):
        raise UserError(f"{path} is a MIDI file of a kind without one common time: export it as type 0 or 1.")
    onsets = [m.tick for track in raw.tracks for m in track.messages if isinstance(m, Struck) and m.velocity > 0]
    raw.tempos, flaw = right_tempos(raw.tempos, onsets, raw.ticks_per_beat)
    tempo_map = TempoMap(raw.ticks_per_beat, raw.tempos)
    parts = parts_of(raw.tracks, tempo_map)
    flaws = ", ".join([*raw.flaws, *([flaw] if flaw else [])])
    return MidiInput(
        path=path,
        tempo_map=tempo_map,
        signatures=tuple(sorted(raw.signatures, key=lambda signature: signature[0])),
        conductor=tuple(_conductor(raw)),
        parts=tuple(parts),
        end_tick=tempo_map.tick(max((part.end_s for part in parts), default=0.0)),
        tracks_end_s=tempo_map.seconds(max((track.end_tick for track in raw.tracks), default=0)),
        warnings=(f"{path} has flaws that were passed over: {flaws}.",) if flaws else (),
        is_struck=bool(onsets),
    )


def _conductor(raw: RawMidi) -> list[tuple[int, mido.MetaMessage]]:
    timed = [(tick, mido.MetaMessage("set_tempo", tempo=us)) for tick, us in raw.tempos]
    timed += [
        (tick, mido.MetaMessage("time_signature", numerator=beats, denominator=kind))
        for tick, beats, kind in raw.signatures
    ]
    timed += [
        (tick, mido.MetaMessage("key_signature", key=(_MINOR_KEYS if minor else _KEYS)[sharps + 7]))
        for tick, sharps, minor in raw.keys
    ]
    return sorted(timed, key=lambda message: message[0])


def events(notes: Sequence[Note]) -> list[NoteHeard | NoteEnded]:
    """Return the events that the hearing would report for `notes`, ordered by time; at equal times ends come first."""
    told: list[tuple[float, int, NoteHeard | NoteEnded]] = []
    for note in notes:
        told.append((note.onset_s, 1, NoteHeard(note)))
        if note.offset_s is not None:
            ended = NoteEnded(note.pitch, note.onset_s, note.offset_s, decided_s=note.offset_s)
            told.append((note.offset_s, 0 if note.offset_s > note.onset_s else 2, ended))
    return [event for _, _, event in sorted(told, key=lambda t: t[:2])]


def write_midi(path: Path, sends: Sequence[Send], like: MidiInput | None = None, tempo: float = 120.0) -> None:
    """Write the messages `sends`, at their due times from zero, as a tempo track and one note track.

    With `like`, the file takes its tempo map and time signatures from that file, and its ticks per beat or, if they are
    few, a multiple of them. Otherwise its tempo is `tempo` quarters a minute. Each key's messages are put in order, and
    keys still down at the end are released.
    """
    if like is None:
        tempo_map = TempoMap(TICKS_PER_BEAT, [(0, mido.bpm2tempo(tempo))])
        conductor: list[tuple[int, mido.Message | mido.MetaMessage]] = [
            (0, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo)))
        ]
    else:
        tempo_map, factor = like.tempo_map.finer()
        last = max([like.end_tick * factor, *(tempo_map.tick(send.due_s) for send in sends)])
        conductor = [(tick * factor, message) for tick, message in like.conductor if tick * factor <= last]
    file = mido.MidiFile(type=1, ticks_per_beat=tempo_map.ticks_per_beat)
    file.tracks.append(_track("", conductor))
    file.tracks.append(_track("Left hand", _messages(sends, tempo_map)))
    file.save(str(path))


def sent_notes(path: Path) -> list[tuple[int, float, float]]:
    """Return (pitch, on, off) of every note in a MIDI file of messages that the box sent, ordered by onset.

    Times are seconds. Raises UserError as `read_midi` does.
    """
    notes = [note for part in read_midi(path).parts if not part.drums for note in part.notes]
    return sorted(((n.pitch, n.onset_s, n.offset_s or n.onset_s) for n in notes), key=lambda n: (n[1], n[0]))


def notes_of(sends: Sequence[Send], hand: Hand = "left") -> list[Note]:
    """Return the notes that the messages `sends` play, ordered by onset, as notes of `hand`.

    Each note ends at its note-off or when its key is struck again. `offset_s` of a note without an end is None.
    """
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
    """Return `sends` sorted by due time. At equal times the order of sending stays, as it does at the instrument.

    A panic ends a note that is still to come at its start: its note-off is sent after its note-on, and due with it.
    """
    return sorted(sends, key=lambda s: s.due_s)


def _messages(sends: Sequence[Send], tempo_map: TempoMap) -> list[tuple[int, mido.Message]]:
    """Return (tick, MIDI message) for the messages `sends`, in order of time.

    Every note lasts at least one tick and ends before its key is struck again.
    """
    timed: list[tuple[int, int, mido.Message]] = []
    for send in _in_order(sends):
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
