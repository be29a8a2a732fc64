"""The right hand of a MIDI file: keys that several voices strike at once, and tracks and channels that are one hand."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from random import Random

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import UserError
from device.events import LONGEST_KEY_S, UNISON_S, UNRELEASED_S, Note
from device.files.midi.file import read_midi
from device.files.midi.notes import united
from tests.unit.helpers.midi_bytes import TUNE, Timed, body, chunk, conductor, control, header, meta, off, on, tune

Notes = list[tuple[int, float, float]]


def read(path: Path, tracks: list[Timed], track: str | None = "all", kind: int = 1) -> Notes:
    """Return (pitch, on, off) of the right hand of a file of these tracks, under a first track with the tempo."""
    first = [] if kind == 0 else [conductor()]
    path.write_bytes(header(len(tracks) + len(first), kind) + b"".join([*first, *(chunk(body(t)) for t in tracks)]))
    return [(n.pitch, n.onset_s, n.offset_s or -1.0) for n in read_midi(path).part(track).notes]


def true_notes() -> Notes:
    return [(key, at / 800, (at + length) / 800) for at, length, key in TUNE]


def same(notes: Notes, other: Notes) -> bool:
    return notes == [pytest.approx(note) for note in other]


def ordered(notes: list[tuple[int, int, int, int]]) -> Timed:
    """A track of (tick, length, pitch, channel); ends come before strikes."""
    timed = [(at, 1, on(key, channel)) for at, _, key, channel in notes]
    timed += [(at + length, 0, off(key, channel)) for at, length, key, channel in notes]
    return [(tick, event) for tick, _, event in sorted(timed, key=lambda t: t[:2])]


@pytest.mark.parametrize("ticks_later", [0, 3, 7, 8])
@pytest.mark.parametrize("way", ["one channel", "two channels", "two tracks", "two tracks of one channel"])
def test_every_key_struck_twice_at_one_instant_is_there_once(tmp_path: Path, way: str, ticks_later: int) -> None:
    other = 1 if way in ("two channels", "two tracks") else 0
    first = [(at, length, key, 0) for at, length, key in TUNE]
    second = [(at + ticks_later, length - ticks_later, key, other) for at, length, key in TUNE]
    tracks = [ordered(first), ordered(second)] if "tracks" in way else [ordered(first + second)]
    assert same(read(tmp_path / "a.mid", tracks), true_notes())


@pytest.mark.parametrize("channel", [0, 1])
def test_a_unison_lasts_as_long_as_the_longer_voice(tmp_path: Path, channel: int) -> None:
    assert read(tmp_path / "a.mid", [ordered([(0, 1920, 60, 0), (0, 480, 60, channel)])]) == [(60, 0.0, 2.4)]
    later = read(tmp_path / "a.mid", [ordered([(0, 1920, 60, 0), (480, 480, 60, channel)])])
    assert later == [(60, 0.0, 0.6), (60, 0.6, 2.4)]


def test_ends_that_are_missing_leave_no_key_down(tmp_path: Path) -> None:
    timed = [(0, on(60)), (480, on(60)), (960, on(60)), (1440, off(60)), (1920, on(62)), (2400, off(62))]
    assert read(tmp_path / "a.mid", [timed]) == [(60, 0.0, 0.6), (60, 0.6, 1.2), (60, 1.2, 1.8), (62, 2.4, 3.0)]


@given(
    st.lists(
        st.tuples(st.floats(0, 2), st.floats(0.02, 1.5), st.integers(60, 62), st.integers(1, 127)),
        min_size=1,
        max_size=14,
    )
)
def test_a_key_is_down_wherever_one_voice_holds_it(voices: list[tuple[float, float, int, int]]) -> None:
    notes = [Note(at, at + length, pitch, velocity, 1.0, at, "right") for at, length, pitch, velocity in voices]
    one = united(notes)
    of_key: dict[int, list[Note]] = defaultdict(list)
    for note in one:
        of_key[note.pitch].append(note)
    for pitch, found in of_key.items():
        for earlier, later in zip(found, found[1:], strict=False):
            assert (earlier.offset_s or 0) <= later.onset_s and later.onset_s - earlier.onset_s > UNISON_S
        for at_s in [0.001 * i for i in range(0, 4000, 7)]:
            held = any(n.onset_s <= at_s < (n.offset_s or 0) for n in notes if n.pitch == pitch)
            assert held == any(n.onset_s <= at_s < (n.offset_s or 0) for n in found)
    assert united(one) == one


def spread(random: Random, channels: list[int]) -> list[tuple[int, int, int, int]]:
    """The tune with each note on the next channel in turn, as an MPE keyboard sends it."""
    first = random.randrange(len(channels))
    return [(at, length, key, channels[(first + i) % len(channels)]) for i, (at, length, key) in enumerate(TUNE)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("channels", [range(1, 16), range(16), range(5, 14)], ids=["MPE", "all sixteen", "nine"])
@pytest.mark.parametrize("kind", [0, 1])
def test_a_hand_over_many_channels_is_one_and_channel_10_is_no_drum(
    tmp_path: Path, seed: int, channels: range, kind: int
) -> None:
    notes = read(tmp_path / "a.mid", [ordered(spread(Random(seed), list(channels)))], "all", kind)
    assert len(notes) == 32 and [pitch for pitch, _, _ in notes] == [key for _, _, key in TUNE]


def test_a_hand_over_many_tracks_of_their_own_channels(tmp_path: Path) -> None:
    channels = [0, 1, 2, 3, 4, 9, 10, 11]
    tracks = [ordered([note for note in spread(Random(1), channels) if note[3] == c]) for c in channels]
    named = [[(0, meta(0x03, b"Piano")), *track] for track in tracks]
    assert same(read(tmp_path / "a.mid", named), true_notes())
    some = read(tmp_path / "a.mid", named, "1, 2,5")
    assert len(some) == sum(len(tracks[i]) // 2 for i in (0, 1, 4))


def test_drums_beside_many_instruments_stay_drums(tmp_path: Path) -> None:
    kit = [(240 * i, 100, (36, 42, 38, 42)[i % 4], 9) for i in range(128)]
    few_hits = [(1920 * i, 100, 38, 9) for i in range(8)]
    for drums in (kit, few_hits):
        tracks = [ordered(spread(Random(2), [0, 1, 2, 3, 4, 5])), ordered(drums)]
        assert len(read(tmp_path / "a.mid", tracks)) == 32
        with pytest.raises(UserError, match="no track '2'"):
            read_midi(tmp_path / "a.mid").part("2")


def test_a_track_may_be_called_all_or_have_a_comma_in_its_name(tmp_path: Path) -> None:
    first, second = tune(notes=TUNE[:3]), tune(notes=TUNE[3:])
    tracks = [[(0, meta(0x03, b"All")), *first], [(0, meta(0x03, b"Hand, right")), *second]]
    assert len(read(tmp_path / "a.mid", tracks, "all")) == 3
    assert len(read(tmp_path / "a.mid", tracks, "hand, RIGHT")) == 29
    assert len(read(tmp_path / "a.mid", tracks, "1,2")) == 32


@pytest.mark.parametrize(("wanted", "told"), [("1,9", "no track '9'"), ("1,,7", "no track '7'"), ("x", "no track 'x'")])
def test_a_track_that_is_not_there_is_named(tmp_path: Path, wanted: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        read(tmp_path / "a.mid", [tune(notes=TUNE[:3]), tune(notes=TUNE[3:])], wanted)


def test_several_tracks_of_one_name_are_chosen_by_number(tmp_path: Path) -> None:
    tracks = [[(0, meta(0x03, b"Piano")), *tune(notes=notes)] for notes in (TUNE[:16], TUNE[16:])]
    with pytest.raises(UserError, match="more than one track 'piano'"):
        read(tmp_path / "a.mid", tracks, "Piano")
    with pytest.raises(UserError, match="several with --track 1,2, or --track all"):
        read(tmp_path / "a.mid", tracks, None)


@pytest.mark.parametrize(("kind", "name"), [(0x21, b"\x01"), (0x09, b"Strings module")])
def test_all_notes_off_on_another_midi_port_ends_no_note(tmp_path: Path, kind: int, name: bytes) -> None:
    quiet: Timed = [(tick, control(123)) for tick in range(100, 15_000, 200)]
    other_port: Timed = [(0, meta(kind, name)), *quiet]
    assert same(read(tmp_path / "a.mid", [tune(), other_port]), true_notes())
    assert not same(read(tmp_path / "a.mid", [tune(), quiet]), true_notes())
    # a track that names no port is on the first one
    assert not same(read(tmp_path / "a.mid", [tune(), [(0, meta(0x21, b"\0")), *quiet]]), true_notes())


@pytest.mark.parametrize("chord", [False, True])
def test_on_a_channel_that_releases_no_key_each_strike_ends_at_the_next(tmp_path: Path, chord: bool) -> None:
    timed = [(at, on(key)) for at, _, key in TUNE]
    if chord:
        timed = sorted([*timed, *((at + 4, on(key - 24)) for at, _, key in TUNE)], key=lambda t: t[0])
    found = read(tmp_path / "a.mid", [timed])
    melody = [(key, at / 800, (at + 480) / 800) for at, _, key in TUNE]
    last = (*melody[-1][:2], melody[-1][1] + UNRELEASED_S)
    assert same([note for note in found if note[0] >= 60], [*melody[:-1], last])
    assert len(found) == len(TUNE) * (1 + chord)


def test_a_channel_that_is_only_silenced_at_its_start_releases_no_key(tmp_path: Path) -> None:
    timed = [(0, control(123, 0)), *((at, on(key)) for at, _, key in TUNE)]
    found = read(tmp_path / "a.mid", [timed])
    ends = [at / 800 for at, _, _ in TUNE[1:]]
    assert [off_s for _, _, off_s in found[:-1]] == pytest.approx(ends)


def test_a_channel_that_releases_some_keys_keeps_the_others_down(tmp_path: Path) -> None:
    found = read(tmp_path / "a.mid", [[(0, on(48)), (480, on(64)), (960, off(64)), (960, on(65)), (1440, off(65))]])
    assert found[0] == (48, 0.0, pytest.approx(1440 / 800))


def test_a_key_whose_release_a_file_lacks_is_down_no_longer_than_a_string_sounds(tmp_path: Path) -> None:
    rest = [(at, event) for i in range(60) for at, event in ((800 * i, on(72)), (800 * i + 400, off(72)))]
    found = read(tmp_path / "a.mid", [[(0, on(48)), *rest, (48_000, on(50)), (48_800, off(50)), (60_000, off(48))]])
    assert found[0] == (48, 0.0, pytest.approx(LONGEST_KEY_S))
    assert found[-1] == (50, pytest.approx(60.0), pytest.approx(61.0)) and len(found) == 62


@pytest.mark.parametrize("rolled", [0, 4])
def test_a_chord_that_a_file_ends_with_and_does_not_release_is_heard(tmp_path: Path, rolled: int) -> None:
    chord = [(480 - rolled, on(48)), (480, on(64))]
    found = read(tmp_path / "a.mid", [[(0, on(60)), (400, off(60)), *chord]])
    assert found[1:] == [(key, at / 800, pytest.approx(at / 800 + UNRELEASED_S, abs=0.01)) for at, (_, key, _) in chord]


@pytest.mark.parametrize("kind", [0, 1])
@pytest.mark.parametrize("later", [0, 5])
def test_a_layered_keyboard_on_two_channels_or_tracks_is_one_hand(tmp_path: Path, kind: int, later: int) -> None:
    """A tick is a millisecond."""
    file = mido.MidiFile(type=kind, ticks_per_beat=500)
    tracks = [
        [(500 * i + later * layer + end, end, 60 + i, layer) for i in range(8) for end in (0, 300)] for layer in (0, 1)
    ]
    for messages in [sum(tracks, [])] if kind == 0 else tracks:
        track, now = mido.MidiTrack(), 0
        for tick, is_end, note, channel in sorted(messages):
            name = "note_off" if is_end else "note_on"
            track.append(mido.Message(name, note=note, velocity=70, channel=channel, time=tick - now))
            now = tick
        file.tracks.append(track)
    file.save(tmp_path / "layers.mid")
    part = read_midi(tmp_path / "layers.mid").part()
    assert [note.pitch for note in part.notes] == list(range(60, 68))
    # it lasts until both layers have been released
    assert part.notes[0].offset_s == pytest.approx((300 + later) / 1000)


def test_two_tracks_with_almost_the_same_notes_are_not_taken_for_one(tmp_path: Path) -> None:
    file = mido.MidiFile(type=1)
    for odd in (0, 1):
        track = mido.MidiTrack()
        for i in range(8):
            track.append(mido.Message("note_on", note=60 + i + (odd if i == 5 else 0), time=0))
            track.append(mido.Message("note_off", note=60 + i + (odd if i == 5 else 0), time=480))
        file.tracks.append(track)
    file.save(tmp_path / "two.mid")
    with pytest.raises(UserError, match="has several tracks with notes"):
        read_midi(tmp_path / "two.mid").part()
