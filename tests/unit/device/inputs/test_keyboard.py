"""Keys played live give the same notes as a MIDI file of them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import mido
from hypothesis import given
from hypothesis import strategies as st

from device.events import NoteEnded, NoteHeard
from device.files.midi_file import events, read_midi
from device.inputs.keyboard import Keys
from device.recording.capture import CaptureSettings
from device.recording.capture_writer import CaptureWriter
from device.recording.folder import CaptureFolder

HOP_S = 0.016
HOW = CaptureSettings(clock="fixed", tempo=100.0, meter="4/4", count_in=None, bundle="", hears_itself=True)

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


@given(played)
def test_a_recording_of_what_was_played_tells_the_same_in_the_same_order(
    gestures: list[tuple[float, str, int, int]],
) -> None:
    hops = live(gestures)
    told = [event for hop in hops for event in hop]
    if not told:
        return
    with TemporaryDirectory() as folder:
        writer = CaptureWriter(CaptureFolder(Path(folder) / "capture"), HOW, None)
        for index, come in enumerate(hops, 1):
            writer.collect(come)
            writer.reached(index * HOP_S)
        writer.end(None)
        again = events(read_midi(Path(folder) / "capture" / "capture.mid").part().notes)
    assert [_plain(event) for event in again] == [_plain(event) for event in told]


def test_drums_and_keys_beyond_the_piano_are_not_heard() -> None:
    drum = mido.Message("note_on", channel=9, note=60)
    low, high = mido.Message("note_on", note=20), mido.Message("note_on", note=109)
    assert Keys().step([(drum, 0.001), (low, 0.002), (high, 0.003)], HOP_S) == []


def _plain(event: NoteHeard | NoteEnded) -> tuple[object, ...]:
    if isinstance(event, NoteHeard):
        return ("on", event.note.onset_s, event.note.pitch, event.note.velocity, event.note.decided_s)
    return ("off", event.offset_s, event.pitch, event.onset_s, event.decided_s)
