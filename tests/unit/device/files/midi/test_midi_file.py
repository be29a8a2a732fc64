"""MIDI files: the hand of each note, the times of the notes, and the written file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock.tempo_map import TempoMap
from device.errors import UserError
from device.events import NoteEnded, NoteHeard, Send
from device.files.midi.file import events, notes_of, read_midi, ringing_notes, sent_notes, write_midi

Track = list[mido.Message | mido.MetaMessage]


def note(pitch: int, length: int = 240, rest: int = 0, channel: int = 0, velocity: int = 70) -> Track:
    return [
        mido.Message("note_on", note=pitch, velocity=velocity, time=rest, channel=channel),
        mido.Message("note_on", note=pitch, velocity=0, time=length, channel=channel),
    ]


def named(name: str, *notes: Track) -> Track:
    return [mido.MetaMessage("track_name", name=name), *[message for n in notes for message in n]]


def save(path: Path, *tracks: Track, ticks_per_beat: int = 480) -> Path:
    file = mido.MidiFile(type=0 if len(tracks) == 1 else 1, ticks_per_beat=ticks_per_beat)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    file.save(str(path))
    return path


def sends(*notes: tuple[float, float, int]) -> list[Send]:
    ons = [Send(on, on - 0.1, "note_on", pitch, 80) for on, _, pitch in notes]
    return ons + [Send(off, off - 0.1, "note_off", pitch, 0) for _, off, pitch in notes]


def played(path: Path) -> list[tuple[float, float, int]]:
    return [(n.onset_s, n.offset_s or -1, n.pitch) for n in read_midi(path).part().notes]


def test_the_only_track_with_notes_is_the_right_hand(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", [mido.MetaMessage("set_tempo", tempo=1_000_000)], named("RH", note(60), note(64)))
    part = read_midi(path).part()
    assert [(n.pitch, n.onset_s, n.offset_s, n.decided_s) for n in part.notes] == [(60, 0, 0.5, 0), (64, 0.5, 1, 0.5)]
    assert {(n.hand, n.velocity) for n in part.notes} == {("right", 70)}


def test_several_tracks_with_notes_ask_for_one_and_list_them(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", [], named("melody", note(72)), named("piano", note(48), note(50)))
    with pytest.raises(UserError, match=r"--track 1,2, or --track all: 1 'melody' \(1 note\), 2 'piano' \(2 notes\)"):
        read_midi(path).part()
    assert read_midi(path).part("2").notes[0].pitch == 48
    assert read_midi(path).part("Melody").notes[0].pitch == 72
    with pytest.raises(UserError, match="no track '7'"):
        read_midi(path).part("7")


def test_channels_of_a_single_track_are_chosen_from_like_tracks(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", note(72, channel=0) + note(48, channel=3))
    with pytest.raises(UserError, match="1 'channel 1' .* 4 'channel 4'"):
        read_midi(path).part()
    assert [n.pitch for n in read_midi(path).part("4").notes] == [48]


def test_drums_are_a_right_hand_only_if_they_are_alone_and_named(tmp_path: Path) -> None:
    drums = named("kit", note(36, channel=9))
    both = save(tmp_path / "both.mid", [], drums, named("RH", note(72)))
    assert read_midi(both).part().name == "RH"
    alone = read_midi(save(tmp_path / "drums.mid", [], drums))
    with pytest.raises(UserError, match="notes on channel 10 alone, which is that of drums: .* --track all"):
        alone.part()
    assert [n.pitch for n in alone.part("all").notes] == [n.pitch for n in alone.part("kit").notes] == [36]
    with pytest.raises(UserError, match="holds no notes: give another file"):
        read_midi(save(tmp_path / "empty.mid", [])).part("all")
    with pytest.raises(UserError, match=r"none on the keys of a piano \(A0 to C8\): transpose it"):
        read_midi(save(tmp_path / "low.mid", [], named("RH", note(12)))).part()
    with pytest.raises(UserError, match="no track 'kit'"):
        read_midi(both).part("kit")


def test_drum_hits_in_a_melodic_track_are_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", [], named("RH", note(72), note(36, channel=9)))
    assert [n.pitch for n in read_midi(path).part().notes] == [72]


def test_a_key_struck_again_or_never_let_go_still_ends(tmp_path: Path) -> None:
    on = mido.Message("note_on", note=60, velocity=70, time=0)
    path = save(tmp_path / "a.mid", [on, on.copy(time=480), mido.MetaMessage("end_of_track", time=480)])
    assert played(path) == [(0.0, 0.5, 60), (0.5, 1.0, 60)]


def test_events_come_in_order_and_every_note_ends(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", note(60) + note(60) + note(62, length=0))
    told = events(read_midi(path).part().notes)
    assert [type(event) for event in told] == [NoteHeard, NoteEnded] * 3
    assert [e.decided_s for e in told if isinstance(e, NoteEnded)] == [0.25, 0.5, 0.5]


@given(
    ticks_per_beat=st.sampled_from([24, 96, 480, 960, -6_360]),
    tempos=st.lists(st.tuples(st.integers(0, 20_000), st.integers(200_000, 2_000_000)), max_size=6),
    tick=st.integers(0, 40_000),
)
def test_ticks_to_seconds_and_back_is_the_same_tick(
    ticks_per_beat: int, tempos: list[tuple[int, int]], tick: int
) -> None:
    tempo_map = TempoMap(ticks_per_beat, tempos)
    assert tempo_map.tick(tempo_map.seconds(tick)) == tick


def test_seconds_follow_the_tempo_changes() -> None:
    tempo_map = TempoMap(480, [(960, 1_000_000), (480, 250_000)])
    assert [tempo_map.seconds(t) for t in (0, 480, 960, 1_440)] == [0, 0.5, 0.75, 1.75]


def test_smpte_ticks_are_parts_of_a_frame() -> None:
    assert TempoMap(-(25 << 8) | 40).seconds(1_000) == pytest.approx(1.0)


def test_what_is_written_for_sound_is_what_was_due(tmp_path: Path) -> None:
    path = tmp_path / "out.mid"
    write_midi(path, sends((1.0, 1.5, 48), (1.0, 2.0, 52), (2.0, 2.5, 48)), tempo=97.3)
    expected = [(1.0, 1.5, 48), (1.0, 2.0, 52), (2.0, 2.5, 48)]
    assert all(got == pytest.approx(due, abs=5e-4) for got, due in zip(played(path), expected, strict=True))
    assert [len([m for m in track if m.type == "note_on"]) for track in mido.MidiFile(path).tracks] == [0, 3]


def test_written_beside_a_midi_input_it_shares_its_time(tmp_path: Path) -> None:
    conductor = [
        mido.MetaMessage("time_signature", numerator=3, denominator=4),
        mido.MetaMessage("set_tempo", tempo=600_000),
        mido.MetaMessage("set_tempo", tempo=400_000, time=288),
    ]
    source = read_midi(save(tmp_path / "in.mid", conductor, named("RH", note(72)), ticks_per_beat=96))
    write_midi(tmp_path / "out.mid", sends((0.6, 1.2, 48), (1.8, 2.2, 50)), like=source)
    out = read_midi(tmp_path / "out.mid")
    assert (out.tempo_map.ticks_per_beat, out.tempo_map.tempos) == (96, source.tempo_map.tempos)
    assert out.signatures == source.signatures
    ticks = [tick for tick, m in _absolute(tmp_path / "out.mid") if m.type == "note_on"]
    assert ticks == [96, 288]


@pytest.mark.parametrize("ticks_per_beat", [1, 4, 24, 50, 95, -(24 << 8) | 1, -(25 << 8) | 4])
def test_written_beside_a_midi_input_of_few_ticks_it_keeps_its_rhythm(tmp_path: Path, ticks_per_beat: int) -> None:
    conductor = [
        mido.MetaMessage("time_signature", numerator=3, denominator=4),
        mido.MetaMessage("set_tempo", tempo=600_000),
        mido.MetaMessage("set_tempo", tempo=400_000, time=30),
    ]
    source = read_midi(save(tmp_path / "in.mid", conductor, named("RH", note(72)), ticks_per_beat=480))
    few = replace(source, tempo_map=TempoMap(ticks_per_beat, source.tempo_map.tempos))
    strokes = [(0.15 * i, 0.15 * i + 0.1, 48) for i in range(12)]
    write_midi(tmp_path / "out.mid", sends(*strokes), like=few)
    out = read_midi(tmp_path / "out.mid")
    written = [(n.onset_s, n.offset_s, n.pitch) for part in out.parts for n in part.notes]
    assert written == [pytest.approx(stroke, abs=0.003) for stroke in strokes]
    assert [out.tempo_map.seconds(tick) for tick, _ in out.tempo_map.tempos] == pytest.approx(
        [few.tempo_map.seconds(tick) for tick, _ in few.tempo_map.tempos]
    )


@given(
    st.lists(
        st.tuples(st.floats(0, 5), st.floats(0, 2), st.integers(36, 40), st.booleans()),
        max_size=12,
    )
)
def test_every_note_written_is_closed_and_no_key_is_struck_twice(
    tmp_path_factory: pytest.TempPathFactory, strikes: list[tuple[float, float, int, bool]]
) -> None:
    messages = [Send(on, on, "note_on", pitch, 80) for on, _, pitch, _ in strikes]
    messages += [Send(on + length, on, "note_off", pitch, 0) for on, length, pitch, closed in strikes if closed]
    path = tmp_path_factory.mktemp("out") / "out.mid"
    write_midi(path, messages)
    down: set[int] = set()
    for _, message in _absolute(path):
        if message.type == "note_on":
            assert message.note not in down
            down.add(message.note)
        elif message.type == "note_off":
            assert message.note in down
            down.remove(message.note)
    assert not down


def test_pedal_is_written_as_controller_64(tmp_path: Path) -> None:
    pedal = [Send(0.5, 0.5, "control", 64, 127), Send(1.0, 1.0, "control", 64, 0)]
    write_midi(tmp_path / "out.mid", sends((0.5, 1.0, 48)) + pedal)
    controls = [m for _, m in _absolute(tmp_path / "out.mid") if m.type == "control_change"]
    assert [(m.control, m.value) for m in controls] == [(64, 127), (64, 0)]


def test_sent_notes_are_all_the_notes_of_a_file(tmp_path: Path) -> None:
    path = save(tmp_path / "sent.mid", [], named("a", note(50)), named("b", note(48, length=480)))
    assert sent_notes(path) == [(48, 0.0, 0.5), (50, 0.0, 0.25)]


def test_notes_of_messages_last_from_on_to_off() -> None:
    assert [(n.pitch, n.onset_s, n.offset_s) for n in notes_of(sends((1.0, 2.0, 48)))] == [(48, 1.0, 2.0)]
    assert notes_of([Send(1.0, 0.9, "note_on", 48, 80)])[0].offset_s is None


def test_under_the_pedal_a_note_rings_until_it_is_up_or_its_key_is_struck_again() -> None:
    pedal = [Send(0.5, 0.5, "control", 64, 127), Send(3.0, 3.0, "control", 64, 0)]
    rung = ringing_notes(sends((0.0, 0.4, 40), (0.0, 1.0, 48), (2.0, 2.5, 48), (2.0, 4.0, 52)) + pedal)
    assert [(n.pitch, n.onset_s, n.offset_s) for n in rung] == [
        (40, 0.0, 0.4),
        (48, 0.0, 2.0),
        (48, 2.0, 3.0),
        (52, 2.0, 4.0),
    ]


def test_below_the_split_it_is_the_left_hand_s(tmp_path: Path) -> None:
    part = read_midi(save(tmp_path / "both.mid", [], named("a", note(54), note(55)))).part()
    assert [n.hand for n in part.notes] == ["right", "right"]
    assert [n.hand for n in part.split(55).notes] == ["left", "right"]


def _absolute(path: Path) -> list[tuple[int, mido.Message]]:
    timed = []
    for track in mido.MidiFile(path).tracks:
        tick = 0
        for message in track:
            tick += message.time
            timed.append((tick, message))
    return timed
