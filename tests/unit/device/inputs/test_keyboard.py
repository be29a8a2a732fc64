"""Keys played live mean what a MIDI file of them means."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import mido
from hypothesis import given, settings
from hypothesis import strategies as st

from device.events import Note, NoteEnded, NoteHeard
from device.files.midi_file import events, read_midi, write_midi
from device.inputs.keyboard import Keys
from device.recording.recorder import key_messages

HOP_S = 0.016

played = st.lists(
    st.tuples(st.floats(0, 0.08), st.sampled_from(["note_on", "note_off"]), st.integers(60, 64), st.integers(1, 127)),
    min_size=1,
    max_size=40,
)


def live(gestures: list[tuple[float, str, int, int]]) -> list[list[NoteHeard | NoteEnded]]:
    """The notes that Keys gives, hop by hop."""
    waiting, time_s = [], 0.0
    for gap_s, kind, note, velocity in gestures:
        time_s += gap_s
        waiting.append((mido.Message(kind, note=note, velocity=velocity), time_s))
    keys, told, hop = Keys(), [], 0
    while waiting:
        hop += 1
        now_s = hop * HOP_S
        come = [m for m in waiting if m[1] <= now_s]
        waiting = [m for m in waiting if m[1] > now_s]
        told.append(keys.step(come, now_s))
        for event in told[-1]:
            assert now_s - HOP_S < (event.note if isinstance(event, NoteHeard) else event).decided_s <= now_s
    return [*told, keys.finish()[1]]


@settings(deadline=None)
@given(played)
def test_a_file_of_what_was_played_tells_the_same_in_the_same_order(
    gestures: list[tuple[float, str, int, int]],
) -> None:
    told = [event for hop in live(gestures) for event in hop]
    notes: dict[tuple[int, float], Note] = {}
    for event in told:
        if isinstance(event, NoteHeard):
            notes[event.note.pitch, event.note.onset_s] = event.note
        else:
            heard = notes[event.pitch, event.onset_s]
            notes[event.pitch, event.onset_s] = Note(
                heard.onset_s, event.offset_s, heard.pitch, heard.velocity, 1.0, heard.decided_s, "right"
            )
    if not notes:
        return
    with TemporaryDirectory() as folder:
        write_midi(Path(folder) / "keys.mid", key_messages(notes.values()))
        again = events(read_midi(Path(folder) / "keys.mid").part().notes)
    assert [_plain(event) for event in again] == [_plain(event) for event in told]


def test_drums_and_keys_beyond_the_piano_are_not_heard() -> None:
    drum = mido.Message("note_on", channel=9, note=60)
    low, high = mido.Message("note_on", note=20), mido.Message("note_on", note=109)
    assert Keys().step([(drum, 0.001), (low, 0.002), (high, 0.003)], HOP_S) == []


def _plain(event: NoteHeard | NoteEnded) -> tuple[object, ...]:
    if isinstance(event, NoteHeard):
        return ("on", event.note.onset_s, event.note.pitch, event.note.velocity, event.note.decided_s)
    return ("off", event.offset_s, event.pitch, event.onset_s, event.decided_s)
