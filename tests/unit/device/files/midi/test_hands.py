"""The hands of a MIDI file: which track is the right hand by its name, and both hands in one track."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import UserError
from device.files.midi.file import MidiInput, read_midi
from device.files.midi.hands import about_hands
from tests.unit.helpers.midi_bytes import TUNE, Timed, body, chunk, conductor, header, meta, tune

BASS = tuple((1920 * bar, 1800, (48, 43)[bar % 2]) for bar in range(8))
HANDS = {
    "RH": "LH",
    "Right Hand": "Left Hand",
    "Piano (right)": "Piano (left)",
    "Piano R.H.": "Piano L.H.",
    "Rechte Hand": "Linke Hand",
    "Klavier, rechts": "Klavier, links",
    "Main droite": "Main gauche",
    "m.d.": "m.s.",
    "Mano derecha": "Mano izquierda",
    "Piano, Upper": "Piano, Lower",
    "ピアノ右手": "ピアノ左手",
    "правая рука": "левая рука",
}


def track(name: str | None, timed: Timed) -> bytes:
    named = [] if name is None else [(0, meta(0x03, name.encode()))]
    return chunk(body([*named, *timed]))


def read(path: Path, *tracks: bytes) -> MidiInput:
    path.write_bytes(header(len(tracks) + 1) + conductor() + b"".join(tracks))
    return read_midi(path)


@pytest.mark.parametrize("right", HANDS)
@pytest.mark.parametrize("number", [1, 2])
def test_the_track_named_for_the_right_hand_is_advised(tmp_path: Path, right: str, number: int) -> None:
    tracks = [track(right, tune()), track(HANDS[right], tune(notes=BASS))]
    source = read(tmp_path / "a.mid", *(tracks if number == 1 else reversed(tracks)))
    with pytest.raises(UserError, match=rf"notes\); by its name the right hand is {number}\.$"):
        source.part()
    assert [note.pitch for note in source.part(str(number)).notes] == [key for _, _, key in TUNE]


@pytest.mark.parametrize("names", ["Piano/Piano", "Strings/Left", "Right/Right", "RH LH/LH", "/", "Voice 1/Voice 2"])
def test_other_names_advise_nothing_and_the_highest_track_is_named(tmp_path: Path, names: str) -> None:
    low, high = names.split("/")
    source = read(tmp_path / "a.mid", track(low, tune(notes=BASS)), track(high, tune()))
    with pytest.raises(UserError, match=r"--track all: 1 .*\(8 notes\), 2 .*\(32 notes\); the highest is 2\.$"):
        source.part()


@pytest.mark.parametrize("name", ["MELODY", "Lead Vocal", "Gesang", "主旋律", "Mélodie 1"])
def test_the_track_named_for_the_melody_is_advised_although_another_lies_higher(tmp_path: Path, name: str) -> None:
    high = tuple((at, length, key + 24) for at, length, key in TUNE)
    tracks = [track("Bridge", tune(notes=high)), track(name, tune()), track("Piano", tune(notes=BASS))]
    with pytest.raises(UserError, match=r"notes\); by its name the melody is 2\.$"):
        read(tmp_path / "a.mid", *tracks).part()


def test_a_third_track_may_be_the_melody_so_the_names_of_two_advise_nothing(tmp_path: Path) -> None:
    tracks = [track("RH", tune()), track("LH", tune(notes=BASS)), track("Flute", tune())]
    with pytest.raises(UserError, match="the highest is [13]"):
        read(tmp_path / "a.mid", *tracks).part()


def test_both_hands_in_one_track_are_said_with_the_key_that_splits_them(tmp_path: Path) -> None:
    source = read(tmp_path / "a.mid", track(None, tune(notes=tuple(sorted(TUNE + BASS)))))
    part = source.part()
    (sentence,) = about_hands(part, source.path)
    split = int(sentence.partition("--split ")[2].split()[0])
    assert {note.pitch for note in part.split(split).notes if note.hand == "left"} == {43, 48}


@pytest.mark.parametrize("chord", [(60, 64, 67, 72), (60, 76), (48, 52, 55), (60,)])
def test_one_hand_is_not_taken_for_two(tmp_path: Path, chord: tuple[int, ...]) -> None:
    notes = tuple((480 * beat, 470, key) for beat in range(16) for key in chord)
    leaps = tuple((480 * beat + 20, 400, 40 + 3 * (beat - 16)) for beat in range(16, 24))
    source = read(tmp_path / "a.mid", track(None, tune(notes=notes + leaps)))
    assert about_hands(source.part(), source.path) == []


@pytest.mark.parametrize("voices", [5, 12])
def test_a_hand_that_is_spread_over_many_tracks_is_advised_as_one(tmp_path: Path, voices: int) -> None:
    tracks = [track("Piano", tune(channel=i, notes=TUNE[i::voices])) for i in range(voices)]
    with pytest.raises(UserError, match="as if they were one hand: --track all plays them as one"):
        read(tmp_path / "spread.mid", *tracks).part()


def test_instruments_of_other_ranges_are_not_advised_as_one_hand(tmp_path: Path) -> None:
    melody = [track(f"Wind {i}", tune(channel=i, notes=TUNE[i::4])) for i in range(4)]
    with pytest.raises(UserError, match="the highest is"):
        read(tmp_path / "band.mid", *melody, track("Tuba", tune(channel=5, notes=BASS))).part()
