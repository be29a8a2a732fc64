"""Readers of the published corpora, on small files of the same form and on a handful of the real ones."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import mido
import numpy as np
import pytest
from click.testing import CliRunner

from device.errors import UserError
from training.corpora import chopin, lieder, pop909
from training.corpora.archives import corpus_folder
from training.corpora.pieces import HandLabel, Piece, load_pieces
from training.corpora.prepare import prepare, time_limit

DATA = Path(os.environ.get("LEFTHAND_DATA", Path(__file__).parents[5] / "shared" / "data"))
CACHE = Path(__file__).parents[4] / ".cache"

XML_NOTE = (
    "<note>{extra}<pitch><step>{step}</step><octave>{octave}</octave></pitch>{length}<staff>{staff}</staff></note>"
)


def xml_note(step: str, octave: int, duration: int, staff: int = 1, extra: str = "", tie: str = "") -> str:
    """A note of `duration` half quarters; 0 makes a grace note."""
    length = f"<duration>{duration}</duration>" if duration else ""
    length += f'<tie type="{tie}"/>' if tie else ""
    length += f"<voice>{staff}</voice>"
    return XML_NOTE.format(step=step, octave=octave, length=length, staff=staff, extra=extra)


def xml_back(duration: int) -> str:
    return f"<backup><duration>{duration}</duration></backup>"


def xml_attributes(staves: int) -> str:
    return (
        "<attributes><divisions>2</divisions><time><beats>3</beats><beat-type>4</beat-type></time>"
        f"<staves>{staves}</staves></attributes>"
    )


def a_song(root: Path, composer: str = "Lang,_Josephine") -> Path:
    """A quarter of pickup and two bars of 3/4 for voice and piano."""
    folder = root / "Lieder" / "scores" / composer / "Op.1" / "1_Lied"
    folder.mkdir(parents=True)
    voice = [
        xml_attributes(1) + xml_note("G", 4, 2),
        xml_note("C", 5, 6, tie="start"),
        xml_note("C", 5, 6, tie="stop"),
    ]
    piano = [
        xml_attributes(2) + xml_note("E", 4, 2) + xml_back(2) + xml_note("C", 3, 2, staff=2),
        xml_note("F", 4, 0, extra="<grace/>") + xml_note("E", 4, 6) + xml_back(6) + xml_note("C", 3, 6, staff=2),
        xml_note("G", 4, 6) + xml_note("B", 4, 6, extra="<chord/>") + xml_back(6) + xml_note("G", 2, 6, staff=2),
    ]
    parts = "".join(
        f'<part id="P{number}">'
        + "".join(f'<measure number="{index}">{measure}</measure>' for index, measure in enumerate(measures))
        + "</part>"
        for number, measures in enumerate((voice, piano))
    )
    path = folder / "lc42.mxl"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="3.1"><part-list>'
        '<score-part id="P0"><part-name>Voice</part-name></score-part>'
        '<score-part id="P1"><part-name>Piano</part-name></score-part>'
        f"</part-list>{parts}</score-partwise>"
    )
    return path


KERN = """!!!OTL: Nocturne
!!!OPS: Op. 99
**kern\t**kern\t**dynam
*staff2\t*staff1\t*
*clefF4\t*clefG2\t*
*k[]\t*k[]\t*
*M3/4\t*M3/4\t*
4C\t4e\tp
=1\t=1\t=1
.\tqf\t.
4CC 4C\t[2.ee-\tf
4r\t.\t.
4BB-\t.\t.
=2\t=2\t=2
*\t*^\t*
2.C\t2.ee-]\t4g#\t.
.\t.\t2a\t.
*\t*v\t*v\t*
*M2/4\t*M2/4\t*
=3\t=3\t=3
2CC\t2ccc\t.
==\t==\t==
*-\t*-\t*-
"""


def an_edition(root: Path, stem: str = "099-1-XX-001", text: str = KERN) -> Path:
    folder = root / "first-editions" / "kern"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}.krn"
    path.write_text(text)
    return path


def a_pop_song(root: Path, number: str = "001") -> Path:
    """Five beats of 0.5 s from 0.2 s on, the first a pickup; the melody rests while the piano ends."""
    folder = root / "POP909" / number
    folder.mkdir(parents=True)
    midi = mido.MidiFile(ticks_per_beat=500)
    midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
    played = {
        "MELODY": [(200, 450, 62, 90)],
        "BRIDGE": [(200, 400, 84, 80)],
        "PIANO": [(210, 400, 48, 70), (230, 450, 59, 60), (240, 450, 64, 50), (1210, 1890, 59, 40)],
    }
    for name, notes in played.items():
        track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)])
        events = [(on, "note_on", pitch, velocity) for on, _, pitch, velocity in notes]
        events += [(off, "note_off", pitch, 0) for _, off, pitch, _ in notes]
        now = 0
        for at, kind, pitch, velocity in sorted(events):
            track.append(mido.Message(kind, note=pitch, velocity=velocity, time=at - now))
            now = at
        midi.tracks.append(track)
    midi.save(folder / f"{number}.mid")
    beats = [(0.2, 0, 0), (0.7, 1, 1), (1.2, 0, 0), (1.7, 1, 0), (2.2, 0, 0)]
    (folder / "beat_midi.txt").write_text("".join(f"{time} {half:.1f} {bar:.1f}\n" for time, half, bar in beats))
    (folder / "chord_midi.txt").write_text("0.2\t0.7\tN\n0.7\t2.2\tC:maj\n")
    return folder / f"{number}.mid"


def rows_of(piece: Piece, hand: HandLabel) -> list[tuple[float, float, int]]:
    return [(float(note["onset"]), float(note["duration"]), int(note["pitch"])) for note in piece.of(hand)]


def test_a_song_has_a_voice_and_two_hands_with_ties_merged_and_no_grace_notes(tmp_path: Path) -> None:
    piece = lieder.read_song(a_song(tmp_path))
    assert rows_of(piece, HandLabel.VOICE) == [(0.0, 1.0, 67), (1.0, 6.0, 72)]
    assert rows_of(piece, HandLabel.RIGHT) == [(0.0, 1.0, 64), (1.0, 3.0, 64), (4.0, 3.0, 67), (4.0, 3.0, 71)]
    assert rows_of(piece, HandLabel.LEFT) == [(0.0, 1.0, 48), (1.0, 3.0, 48), (4.0, 3.0, 43)]


def test_a_song_is_known_by_its_folder_and_counts_bars_after_its_pickup(tmp_path: Path) -> None:
    piece = lieder.read_song(a_song(tmp_path))
    assert (piece.name, piece.group, piece.work) == ("lc42", "Lang,_Josephine", "Lang,_Josephine/Op.1/1_Lied")
    assert piece.meters == [(0.0, 3, 4)]
    assert piece.downbeats.tolist() == [1.0, 4.0]
    assert piece.title == "1 Lied"


def test_a_song_without_a_two_staff_part_is_refused_by_name(tmp_path: Path) -> None:
    path = a_song(tmp_path)
    path.write_text(path.read_text().replace("<staff>2</staff>", "<staff>1</staff>"))
    with pytest.raises(lieder.NoPianoError, match=r"lc42\.mxl has no part with two staves"):
        lieder.read_song(path)


def test_an_edition_has_two_hands_with_ties_merged_and_no_grace_notes(tmp_path: Path) -> None:
    piece = chopin.read_edition(an_edition(tmp_path))
    assert rows_of(piece, HandLabel.LEFT) == [
        (0.0, 1.0, 48),
        (1.0, 1.0, 36),
        (1.0, 1.0, 48),
        (3.0, 1.0, 46),
        (4.0, 3.0, 48),
        (7.0, 2.0, 36),
    ]
    assert rows_of(piece, HandLabel.RIGHT) == [
        (0.0, 1.0, 64),
        (1.0, 6.0, 75),
        (4.0, 1.0, 68),
        (5.0, 2.0, 69),
        (7.0, 2.0, 84),
    ]
    assert piece.meters == [(0.0, 3, 4), (7.0, 2, 4)]
    assert piece.downbeats.tolist() == [1.0, 4.0, 7.0]
    assert (piece.title, piece.work) == ("Nocturne", "099/001")


def test_an_excluded_edition_is_neither_listed_nor_read(tmp_path: Path) -> None:
    kept = an_edition(tmp_path)
    named = an_edition(tmp_path, "066-1-Sam")
    titled = an_edition(tmp_path, "098-1-XX", KERN.replace("Nocturne", "Étude No. 3"))
    assert chopin.edition_files(tmp_path) == [kept]
    for path in (named, titled):
        with pytest.raises(ValueError, match="kept out of training"):
            chopin.read_edition(path)


def test_parts_of_string_players_and_scores_with_a_piano_part_are_passed_over(tmp_path: Path) -> None:
    for stem in ("008-1-Sm-001", "008-1-Sm-001-violino", "008-1-Sm-001-violoncello", "008-1-Sm-001-piano"):
        an_edition(tmp_path, stem)
    assert [path.stem for path in chopin.edition_files(tmp_path)] == ["008-1-Sm-001-piano"]


@pytest.mark.parametrize(
    ("token", "pitch"),
    [("4c", 60), ("8.cc#", 73), ("[2C-", 47), ("CCC", 24), ("16BB--L", 45), ("ddd##]", 88), ("4bnX", 71)],
)
def test_kern_pitches(token: str, pitch: int) -> None:
    assert chopin.pitch_of(token) == pitch


def test_a_pop_song_keeps_its_human_timing(tmp_path: Path) -> None:
    piece = pop909.read_song(a_pop_song(tmp_path))
    (melody,) = piece.of(HandLabel.RIGHT)
    assert piece.seconds(melody["onset"]) == pytest.approx(0.2, abs=1e-5)
    assert piece.seconds(melody["onset"] + melody["duration"]) == pytest.approx(0.45, abs=1e-5)
    left = piece.of(HandLabel.LEFT)
    np.testing.assert_allclose(piece.seconds(left["onset"]), [0.21, 0.23, 1.21], atol=1e-5)
    np.testing.assert_allclose(np.diff(piece.beat_s), 0.5)
    assert piece.beat_s[-1] >= 1.89


def test_the_left_hand_is_below_middle_c_and_below_the_melody(tmp_path: Path) -> None:
    path = a_pop_song(tmp_path)
    piece = pop909.read_song(path)
    assert piece.of(HandLabel.LEFT)["pitch"].tolist() == [48, 59, 59]
    assert piece.of(HandLabel.OTHER)["pitch"].tolist() == [64]
    midi = mido.MidiFile(path)
    for message in midi.tracks[1]:
        if message.type in ("note_on", "note_off"):
            message.note = 55
    midi.save(path)
    lower = pop909.read_song(path)
    assert lower.of(HandLabel.LEFT)["pitch"].tolist() == [48, 59]
    assert lower.of(HandLabel.OTHER)["pitch"].tolist() == [59, 64]


def test_the_bridge_is_left_out(tmp_path: Path) -> None:
    assert 84 not in pop909.read_song(a_pop_song(tmp_path)).notes["pitch"]


def archive_of(folder: Path, data: Path, name: str) -> None:
    data.mkdir(exist_ok=True)
    with tarfile.open(data / f"{name}.tar.xz", "w:xz") as tar:
        tar.add(folder, arcname=name)


def test_prepare_reads_archives_goes_on_where_it_stopped_and_names_what_it_cannot_read(tmp_path: Path) -> None:
    source, data, cache = tmp_path / "source", tmp_path / "data", tmp_path / "cache"
    a_song(source)
    broken = a_song(source, "Wieck,_Clara").rename(source / "Lieder/scores/Wieck,_Clara/Op.1/1_Lied/lc43.mxl")
    broken.write_text("<not-music/>")
    archive_of(source / "Lieder", data, "openscore-lieder")
    arguments = ["--data", str(data), "--cache", str(cache), "--corpus", "lieder"]
    result = CliRunner().invoke(prepare, arguments)
    assert result.exit_code == 0
    assert "not read: lc43:" in result.output
    (piece,) = load_pieces(cache, "lieder")
    written = (cache / "pieces/lieder/lc42.npz").stat().st_mtime_ns
    again = CliRunner().invoke(prepare, arguments)
    assert again.exit_code == 0
    assert (cache / "pieces/lieder/lc42.npz").stat().st_mtime_ns == written
    assert f"{piece.split}: 1 pieces (1 primary, 1 groups); notes: right 4, left 3, voice 2" in again.output


def test_a_file_that_is_read_for_ever_is_given_up() -> None:
    with pytest.raises(TimeoutError, match="processor time"), time_limit(0.05):
        while True:
            pass


def test_an_unpacked_folder_is_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "data" / "pop909").mkdir(parents=True)
    assert corpus_folder(tmp_path / "data", tmp_path / "cache", "pop909") == tmp_path / "data" / "pop909"
    assert not (tmp_path / "cache").exists()


def test_a_missing_corpus_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds neither pop909/ nor pop909\.tar\.xz: name the data folder"):
        corpus_folder(tmp_path, tmp_path, "pop909")


@pytest.mark.data
def test_real_songs_of_pop909() -> None:
    root = corpus_folder(DATA, CACHE, pop909.ARCHIVE)
    files = pop909.song_files(root)
    assert len(files) == 909
    for path in files[::300]:
        piece = pop909.read_song(path)
        assert piece.of(HandLabel.LEFT)["pitch"].max() < 60
        assert set(np.diff(piece.downbeats)) <= {1, 2, 3, 4, 5, 6, 7}
        on_sixteenth = np.abs(piece.notes["onset"] * 4 - np.rint(piece.notes["onset"] * 4)) < 0.2
        assert on_sixteenth.mean() > 0.8


@pytest.mark.data
def test_no_file_that_is_read_names_an_excluded_work() -> None:
    files = chopin.edition_files(corpus_folder(DATA, CACHE, chopin.ARCHIVE))
    assert len(files) == 261
    for path in files:
        titles = [line for line in path.read_text().lower().split("\n") if line.startswith(("!!!otl", "!!!agn"))]
        assert not any(word in " ".join(titles) for word in ("mazurka", "mazourka", "tude", "prelud", "prélud"))


@pytest.mark.data
def test_real_editions_of_a_nocturne_agree() -> None:
    root = corpus_folder(DATA, CACHE, chopin.ARCHIVE)
    first, second = (
        chopin.read_edition(root / "humdrum-chopin-first-editions" / "kern" / f"{stem}.krn")
        for stem in ("009-1-KI-002", "009-1b-Sm-002")
    )
    assert (first.group, first.work, first.split) == (second.group, second.work, second.split)
    assert first.meters[0][1:] == (12, 8)
    assert first.downbeats[:2].tolist() == [0.5, 6.5]
    assert len(first.of(HandLabel.LEFT)) == pytest.approx(len(second.of(HandLabel.LEFT)), rel=0.05)


@pytest.mark.data
def test_real_songs_of_schubert() -> None:
    root = corpus_folder(DATA, CACHE, lieder.ARCHIVE)
    files = [path for path in lieder.song_files(root) if lieder.place_of(path)[0] == "Schubert,_Franz"]
    for path in files[:2]:
        piece = lieder.read_song(path)
        voice, right, left = (piece.of(hand) for hand in (HandLabel.VOICE, HandLabel.RIGHT, HandLabel.LEFT))
        assert len(voice) and len(right) and len(left)
        assert left["pitch"].mean() + 5 < right["pitch"].mean()
        assert piece.downbeats[0] < 4
