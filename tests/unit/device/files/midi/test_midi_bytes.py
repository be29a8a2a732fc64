"""MIDI files with flaws in what the box does not need: every note is read, at its time."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from device.cli import main
from device.errors import UserError
from device.events import LONGEST_KEY_S, Note
from device.files.midi.bytes import MOST_TEMPOS, parse
from device.files.midi.file import read_midi
from device.files.midi.raw import Struck
from tests.unit.helpers.midi_bytes import (
    END,
    FLAWS,
    FOUR_FOUR,
    TEMPO,
    TUNE,
    Flaw,
    body,
    chunk,
    clean,
    conductor,
    control,
    header,
    meta,
    number,
    off,
    on,
    riff,
    sysex,
    tune,
    with_event,
)

BEAT_S = 0.6


def notes_of(path: Path, content: bytes, track: str | None = None) -> list[tuple[int, float, float]]:
    path.write_bytes(content)
    part = read_midi(path).part(track)
    return [(n.pitch, n.onset_s, n.offset_s or -1.0) for n in part.notes]


def read(path: Path, content: bytes) -> tuple[Note, ...]:
    path.write_bytes(content)
    return read_midi(path).part().notes


def true_notes() -> list[tuple[int, float, float]]:
    return [(key, at / 480 * BEAT_S, (at + length) / 480 * BEAT_S) for at, length, key in TUNE]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("flaw", FLAWS, ids=lambda flaw: flaw.name)
def test_a_flaw_in_something_else_costs_no_note(tmp_path: Path, flaw: Flaw, seed: int) -> None:
    content = flaw.make(Random(seed))
    assert notes_of(tmp_path / "a.mid", content) == [pytest.approx(note) for note in true_notes()]


@pytest.mark.parametrize("seed", range(40))
def test_several_flaws_in_one_file_cost_no_note(tmp_path: Path, seed: int) -> None:
    """Flaws follow each other, so the event after a flaw has one too."""
    random = Random(seed)
    beside = [meta(0x51), meta(0x51, b"\x09\x27"), meta(0x54, b"\0\0"), meta(0x58), meta(0x59, b"\0")]
    beside += [meta(0x59, b"\xf0\x00"), meta(0x60, b"abc"), meta(0x01, b"hello"), sysex(b"\x7e\x7f\x09"), meta(0x00)]
    beside += [b"\xf8", b"\xfe", b"\xf6", b"\xf1\x10", b"\xf7\x02\xf3\x01", meta(0x7F, b"abc"), b"\xe0\x00\x40"]
    events = random.sample(beside, random.randint(2, 7))
    flawed = [(480 * random.choice([0, 0, 1, 5]), event) for event in events]
    timed = sorted([*flawed, *tune()], key=lambda timed: timed[0])
    first = [(0, TEMPO), (0, FOUR_FOUR)]
    running = random.random() < 0.5
    content = header(1, 0) + chunk(body([*first, *timed], running=running))
    if seed % 2:
        conducted = chunk(body([*first, *((0, event) for event in events)]))
        content = header(2) + conducted + chunk(body(timed, running=running))
    kept = [(n.pitch, n.onset_s) for n in read(tmp_path / "a.mid", content)]
    assert kept == [pytest.approx((pitch, on_s), abs=0.002) for pitch, on_s, _ in true_notes()]


@pytest.mark.parametrize("declared", [0xFFFFFFFF, 0])
def test_every_track_may_have_a_placeholder_for_its_length(tmp_path: Path, declared: int) -> None:
    tracks = [body([(0, TEMPO), (0, FOUR_FOUR)]), body(tune())]
    content = header(2) + b"".join(chunk(content, size=declared) for content in tracks)
    assert notes_of(tmp_path / "a.mid", content) == [pytest.approx(note) for note in true_notes()]


def test_type_2_with_one_piece_is_read_and_with_two_refused_in_a_sentence(tmp_path: Path) -> None:
    one = header(3, 2) + conductor() + chunk(body(tune())) + chunk(END)
    assert notes_of(tmp_path / "a.mid", one) == [pytest.approx(note) for note in true_notes()]
    (tmp_path / "a.mid").write_bytes(header(2, 2) + chunk(body(tune())) * 2)
    with pytest.raises(UserError, match="without one common time: export it as type 0 or 1"):
        read_midi(tmp_path / "a.mid")


def test_the_name_of_a_header_within_a_container_is_no_header(tmp_path: Path) -> None:
    title = b"LIST" + (20).to_bytes(4, "little") + b"INFOINAM" + (8).to_bytes(4, "little") + b"MThd" + bytes(4)
    content = riff(clean())
    assert notes_of(tmp_path / "a.rmi", content[:12] + title + content[12:]) == [
        pytest.approx(note) for note in true_notes()
    ]


def test_no_file_with_a_flaw_asks_for_an_option_that_was_not_given(tmp_path: Path) -> None:
    for flaw in FLAWS:
        path = tmp_path / "a.mid"
        path.write_bytes(flaw.make(Random(1)))
        result = CliRunner().invoke(main, ["play", str(path), "--listen", "--notes", str(tmp_path / "a.csv")])
        assert result.exit_code == 0 and "32 notes read" in result.stdout, (flaw.name, result.output)
        assert "--" not in result.output
        assert all("a.mid" in line for line in result.stderr.splitlines())


@pytest.mark.parametrize(
    "kind", ["a key signature out of range", "a RIFF file", "running status over a sysex", "a tempo of zero"]
)
def test_the_left_hand_is_that_of_the_file_without_the_flaw(tmp_path: Path, kind: str) -> None:
    flaw = next(flaw for flaw in FLAWS if flaw.name == kind)
    sent = []
    for content in (clean(), flaw.make(Random(3))):
        path, out = tmp_path / "a.mid", tmp_path / "left.mid"
        path.write_bytes(content)
        assert CliRunner().invoke(main, ["play", str(path), "--midi", str(out)]).exit_code == 0
        sent.append([(n.pitch, n.onset_s, n.offset_s) for n in read_midi(out).part().notes])
    assert len(sent[0]) > 20 and sent[0] == sent[1]


def test_the_warning_names_the_file_and_the_flaw(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(with_event(meta(0x59, bytes([18, 0]))))
    (warning,) = read_midi(tmp_path / "a.mid").warnings
    assert warning == f"{tmp_path / 'a.mid'} has flaws that were passed over: a key signature that is none."
    (tmp_path / "a.mid").write_bytes(clean())
    assert not read_midi(tmp_path / "a.mid").warnings


@pytest.mark.parametrize("suffix", [".kar", ".rmi", ".midi", ".MID"])
def test_other_names_of_midi_files_are_read(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(clean())
    result = CliRunner().invoke(main, ["play", str(tmp_path / f"a{suffix}"), "--listen"])
    assert result.exit_code == 0 and "32 notes read" in result.stdout


def test_a_track_is_found_by_its_name_in_utf_8(tmp_path: Path) -> None:
    tracks = [[(0, meta(0x03, name.encode())), *tune()] for name in ("Rechte Hände", "左手")]
    content = header(3) + conductor() + b"".join(chunk(body(timed)) for timed in tracks)
    for name in ("rechte hände", "左手"):
        assert len(notes_of(tmp_path / "a.mid", content, name)) == 32
    with pytest.raises(UserError, match="1 'Rechte Hände' .32 notes., 2 '左手'"):
        read_midi(tmp_path / "a.mid").part()


@pytest.mark.parametrize("controller", [120, 123, 124, 125, 126, 127])
def test_a_channel_that_is_silenced_holds_no_key(tmp_path: Path, controller: int) -> None:
    timed = [(0, on(60)), (0, on(64, channel=1)), (480, control(controller)), (960, on(62)), (1440, END)]
    content = header(1, 0) + chunk(body(timed, end=b""))
    (first, second), other = (notes_of(tmp_path / "a.mid", content, track) for track in ("1", "2"))
    assert first == (60, 0.0, 0.5) and second == (62, 1.0, 1.5)
    assert other == [(64, 0.0, 1.5)]


def test_a_system_reset_ends_the_notes_of_every_channel(tmp_path: Path) -> None:
    timed = [(0, on(60)), (0, on(64, channel=1)), (480, b"\xf7\x01\xff"), (960, END)]
    content = header(1, 0) + chunk(body(timed, end=b""))
    assert notes_of(tmp_path / "a.mid", content, "all") == [(60, 0.0, 0.5), (64, 0.0, 0.5)]


def test_a_key_that_is_never_released_does_not_last_until_a_far_end(tmp_path: Path) -> None:
    content = header(1, 0) + chunk(body([(0, on(60)), (480, on(62)), (960, off(62))], end=b"") + number(1 << 27) + END)
    assert notes_of(tmp_path / "a.mid", content) == [(60, 0.0, 11.0), (62, 0.5, 1.0)]


def test_a_file_of_too_many_notes_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "black.mid"
    strike = b"\x01\x90\x3c\x50\x01\x80\x3c\x00"
    path.write_bytes(header(1, 0) + chunk(strike * 250_000 + b"\x00" + END))
    with pytest.raises(UserError, match="black.mid holds more than 200000 notes"):
        read_midi(path)
    path.write_bytes(header(1, 0) + chunk(b"\x08\x90\x3c\x50\x08\x80\x3c\x00" * 120_000 + b"\x00" + END))
    with pytest.raises(UserError, match="120000 notes for the right hand, and at most 100000"):
        read_midi(path).part()
    path.write_bytes(b"MThd" + bytes(16_000_001))
    with pytest.raises(UserError, match="holds more than 16 MB"):
        read_midi(path)


@pytest.mark.parametrize(
    "content",
    [
        header(1, 0, ticks=0) + clean()[14:],
        header(2, 1, ticks=0xE200) + clean()[14:],
        header(2, 2) + chunk(body(tune())) * 2,
        header(1, 0),
        header(1, 0)[:9],
        b"MTrk" + clean()[18:],
        header(1, 0) + chunk(body([(0, on(60)), (480, off(60)), (0x0FFFFFFF, on(60))])),
        header(1, 0, ticks=1) + chunk(body([(0, meta(0x51, b"\xff\xff\xff")), (0x0FFFFFFF, on(60))])),
    ],
    ids=[
        *("no ticks", "frames without ticks", "type 2", "no track", "half a header", "no header", "a long rest"),
        "an eternal rest",
    ],
)
def test_a_file_that_cannot_be_played_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ["play", str(path)])
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr.startswith(f"lefthand: {path} ") and result.stderr.count("\n") == 1


@pytest.mark.parametrize("tempo", [b"\x07\xa1\x20", b"\xff\xff\xff"], ids=["a long note", "an eternal note"])
@pytest.mark.parametrize("ticks", [1, 480])
def test_a_note_whose_end_is_days_away_is_played_as_long_as_a_string_sounds(
    tmp_path: Path, tempo: bytes, ticks: int
) -> None:
    content = header(1, 0, ticks=ticks) + chunk(body([(0, meta(0x51, tempo)), (0, on(60)), (0x0FFFFFFF, off(60))]))
    assert notes_of(tmp_path / "a.mid", content) == [(60, 0.0, LONGEST_KEY_S)]
    result = CliRunner().invoke(main, ["play", str(tmp_path / "a.mid"), "--notes", str(tmp_path / "notes.csv")])
    assert result.exit_code == 0 and "1 note read" in result.stdout


def test_many_texts_with_wrong_lengths_are_not_all_searched() -> None:
    content = b"\x01" * 60

    def used_s(declared: int) -> float:
        texts = (b"\x00" + meta(0x01, content, size=declared)) * 20_000
        began_s = time.process_time()
        [track] = parse(header(1) + chunk(texts + body(tune()))).tracks
        used_s = time.process_time() - began_s
        assert [m.pitch for m in track.messages if isinstance(m, Struck) and m.velocity] == [key for *_, key in TUNE]
        return used_s

    # the next message is looked for at most MOST_SEARCHES times in a file, which takes 13 times as long as to read the
    # same texts with their true lengths. To look for it after each text takes 4,000 times as long
    assert used_s(9) < 100 * used_s(len(content))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 1 << 30), st.sampled_from(FLAWS))
def test_damaged_bytes_give_notes_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, seed: int, flaw: Flaw
) -> None:
    random = Random(seed)
    content = bytearray(flaw.make(random))
    for _ in range(random.randint(1, 12)):
        place = random.randrange(len(content))
        match random.randrange(4):
            case 0:
                content[place] = random.choice([0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)])
            case 1:
                del content[place : place + random.randint(1, 9)]
            case 2:
                content[place:place] = bytes(random.randrange(256) for _ in range(random.randint(1, 9)))
            case _:
                content[place:] = content[: random.randint(1, 40)] if random.random() < 0.2 else content[place:]
        content = content or bytearray(b"MThd")
    try:
        midi = parse(bytes(content))
    except UserError:
        return
    for track in midi.tracks:
        ticks = [message.tick for message in track.messages]
        assert ticks == sorted(ticks) and track.end_tick >= 0
        assert all(0 <= m.velocity <= 127 and 0 <= m.pitch <= 127 for m in track.messages if isinstance(m, Struck))
    assert all(us > 0 for _, us in midi.tempos)


def test_the_helpers_write_what_mido_reads(tmp_path: Path) -> None:
    import mido

    (tmp_path / "a.mid").write_bytes(clean())
    file = mido.MidiFile(tmp_path / "a.mid")
    assert [m.type for m in file.tracks[0]][:2] == ["set_tempo", "time_signature"]
    assert len([m for m in file.tracks[1] if m.type == "note_on"]) == 32
    assert TEMPO and FOUR_FOUR


@pytest.mark.parametrize("after", [bytes(4096), b"\0RIFF\x0c\0\0\0DLS colh\0\0\0\0", b"\x1a" * 50, b"end"])
def test_a_filling_after_the_last_track_is_no_flaw(tmp_path: Path, after: bytes) -> None:
    whole = notes_of(tmp_path / "whole.mid", clean())
    assert notes_of(tmp_path / "a.mid", clean() + after) == whole
    assert read_midi(tmp_path / "a.mid").warnings == ()


@pytest.mark.parametrize("spoil", ["utf-8", "7 bits"])
def test_a_file_that_was_sent_as_text_is_said_to_be_damaged(tmp_path: Path, spoil: str) -> None:
    data = clean()
    spoilt = data.decode("latin-1").encode() if spoil == "utf-8" else bytes(byte & 0x7F for byte in data)
    (tmp_path / "a.mid").write_bytes(spoilt)
    with pytest.raises(UserError, match=r"a.mid is damaged, and no note of it can be read: export or copy it again\.$"):
        read_midi(tmp_path / "a.mid").part()


@pytest.mark.parametrize(
    "number",
    [
        (600_000).to_bytes(4),
        (600_000).to_bytes(5),
        (600_000).to_bytes(8),
        b"\0" + (600_000).to_bytes(3) + b"\0",
        (600_000).to_bytes(3) + b"\0\1",
    ],
    ids=["four bytes", "five bytes", "eight bytes", "bytes around", "bytes after"],
)
def test_a_tempo_that_is_written_with_more_than_three_bytes_is_read(number: bytes) -> None:
    tempo = meta(0x51, number)
    content = header(2) + chunk(body([(0, tempo)])) + chunk(body(tune()))
    assert parse(content).tempos == [(0, 600_000)]
    assert parse(content).flaws == {}


@pytest.mark.parametrize("size", [1, 127, 128, 300, 20_000])
@pytest.mark.parametrize("kind", [0x01, 0x02, 0x05, 0x7F, 0x40, 0xF0])
def test_a_long_event_behind_another_one_costs_no_tempo_and_is_no_flaw(kind: int, size: int) -> None:
    content = b"c" * size
    long = sysex(content + b"\xf7") if kind == 0xF0 else meta(kind, content)
    before = [(0, meta(0x03, b"title")), (0, long), (0, long), (0, TEMPO), (0, FOUR_FOUR)]
    midi = parse(header(2) + chunk(body(before)) + chunk(body(tune())))
    assert (midi.tempos, midi.signatures, list(midi.flaws)) == ([(0, 600_000)], [(0, 4, 4)], [])
    assert midi.tracks[0].name == "title" and len(midi.tracks[1].messages) == 64


def test_every_tempo_of_a_sequencer_that_bends_it_is_kept_and_a_limit_is_said() -> None:
    for many, flaws in ((40_000, []), (MOST_TEMPOS + 1, [f"more than {MOST_TEMPOS:,} tempos"])):
        tempos = [(10 * i, meta(0x51, (500_000 + i % 99).to_bytes(3))) for i in range(many)]
        midi = parse(header(2) + chunk(body(tempos)) + chunk(body(tune())))
        assert midi.tempos == [(10 * i, 500_000 + i % 99) for i in range(min(many, MOST_TEMPOS))]
        assert list(midi.flaws) == flaws


def test_a_long_text_in_an_unknown_encoding_takes_no_longer_than_another(tmp_path: Path) -> None:
    whole = notes_of(tmp_path / "whole.mid", clean())

    def used_s(letter: bytes) -> float:
        words = meta(0x01, b"\x01" + letter * 100_000)
        began_s = time.process_time()
        heard = notes_of(tmp_path / "a.mid", header(1) + chunk(b"\0" + words + body([(0, TEMPO), *tune()])))
        used_s = time.process_time() - began_s
        assert heard == whole
        return used_s

    # a text with a control character may have a wrong length, so its end is searched for. Each letter of the second one
    # looks like the beginning of a number. To read on from each of them takes 2,000 times as long
    plain_s = used_s(b"a")
    assert used_s(b"\xe9") < 100 * plain_s


BACK = (1 << 32) - 128
"""A delta time of -128 ticks, as Ableton Live writes it: as a number of 32 bits."""


def test_a_note_before_the_first_bar_begins_with_it_and_moves_no_other(tmp_path: Path) -> None:
    notes = body([(0, on(60)), (608, off(60)), *((tick + 608, event) for tick, event in tune())])
    content = header(2) + conductor() + chunk(number(BACK) + notes[1:])
    found = notes_of(tmp_path / "a.mid", content)
    assert found[0][1] == 0 and found[1:] == [pytest.approx((p, on + 0.6, off + 0.6)) for p, on, off in true_notes()]
    assert read_midi(tmp_path / "a.mid").warnings == (
        f"{tmp_path / 'a.mid'} has flaws that were passed over: a time that goes back.",
    )


def test_times_that_go_back_within_a_track_are_put_in_order(tmp_path: Path) -> None:
    late = body([(0, on(84)), (240, off(84))], end=b"")
    content = header(2) + conductor() + chunk(body(tune(), end=b"") + late + number((1 << 32) - 960) + on(86) + late)
    found = notes_of(tmp_path / "a.mid", content)
    assert [onset for _, onset, _ in found] == sorted(onset for _, onset, _ in found) and len(found) == 35


def test_a_time_of_five_bytes_that_is_filled_with_zeros_is_that_time(tmp_path: Path) -> None:
    content = header(2) + conductor() + chunk(b"\x80\x80\x80\x80" + body(tune()))
    assert notes_of(tmp_path / "a.mid", content) == [pytest.approx(note) for note in true_notes()]
    assert not read_midi(tmp_path / "a.mid").warnings
