"""The same music in another notation gets the same left hand: 12/8 and 3/8 as 6/8, 2/2 as 4/4."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import mido
import pytest
from click.testing import CliRunner

from device.cli import main

TICKS, EIGHTH = 480, 240
ROOTS = (60, 65, 67, 60, 62, 65, 67, 60)


def tune(groups: tuple[int, ...], seed: int) -> list[tuple[int, int]]:
    """Return (length in eighths, key) over eight chords. Each chord lasts `groups` eighths, a note for each group."""
    random = Random(seed)
    return [(length, root + 12 + random.choice((0, 4, 7, 12))) for root in ROOTS for length in groups]


def save(path: Path, notes: list[tuple[int, int]], *signatures: tuple[int, int, int]) -> Path:
    """Write notes after one another under signatures of (tick, beats, beat type)."""
    track = mido.MidiTrack()
    for length, key in notes:
        track.append(mido.Message("note_on", note=key, velocity=70))
        track.append(mido.Message("note_off", note=key, time=length * EIGHTH))
    conductor, last = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]), 0
    for tick, beats, kind in signatures:
        conductor.append(mido.MetaMessage("time_signature", numerator=beats, denominator=kind, time=tick - last))
        last = tick
    mido.MidiFile(tracks=[conductor, track], ticks_per_beat=TICKS).save(path)
    return path


def played(path: Path, *options: str) -> tuple[list[dict[str, float]], list[tuple[float, int]], str]:
    """Return the notes sent, (time, position) of the beats, and the text on the terminal."""
    report = path.with_suffix(".json")
    result = CliRunner().invoke(main, ["play", str(path), "--report", str(report), *options])
    assert result.exit_code == 0, result.output
    told = json.loads(report.read_text())
    return told["sent"], [(beat["time_s"], beat["position"]) for beat in told["beats"]], result.output


@pytest.mark.parametrize(
    ("groups", "signed", "alike", "beat_s", "beats"),
    [
        ((2, 1, 1, 1, 1, 2, 1, 3), (12, 8), (6, 8), 0.75, 4),
        ((2, 1, 1, 1, 1), (3, 8), (6, 8), 0.25, 3),
        ((2, 2, 1, 1, 2), (2, 2), (4, 4), 1.0, 2),
        ((2, 2, 1, 1, 2), (4, 2), (4, 4), 1.0, 4),
        ((2, 2, 1, 1), (6, 4), (3, 4), 0.5, 6),
        ((2, 1, 1), (4, 8), (2, 4), 0.25, 4),
        ((2, 1, 1), (2, 8), (2, 4), 0.25, 2),
        ((2, 2, 1, 1, 2), (8, 8), (4, 4), 0.25, 8),
        ((2, 2, 1, 1, 2), (16, 16), (4, 4), 0.125, 16),
        ((2, 1, 1), (8, 16), (2, 4), 0.125, 8),
        ((2, 1, 1), (4, 16), (2, 4), 0.125, 4),
    ],
    ids=["12/8", "3/8", "2/2", "4/2", "6/4", "4/8", "2/8", "8/8", "16/16", "8/16", "4/16"],
)
def test_the_left_hand_is_the_same_and_the_beat_is_the_signature_s(
    tmp_path: Path, groups: tuple[int, ...], signed: tuple[int, int], alike: tuple[int, int], beat_s: float, beats: int
) -> None:
    notes = tune(groups, seed=beats)
    sent, told, output = played(save(tmp_path / "signed.mid", notes, (0, *signed)))
    same, _, _ = played(save(tmp_path / "alike.mid", notes, (0, *alike)))
    assert len(sent) > 10 and sent == same
    assert "is not one of" not in output
    assert told[:9] == [(pytest.approx(i * beat_s, abs=1e-6), i % beats) for i in range(9)]


def test_seven_eight_is_played_in_groups_and_counts_its_eighths(tmp_path: Path) -> None:
    notes = tune((2, 1, 1, 1, 2), 7)
    sent, told, output = played(save(tmp_path / "seven.mid", notes, (0, 7, 8)))
    assert "The metre 7/8 is played in groups of 3 + 2 + 2." in output
    assert told[:9] == [(pytest.approx(i * 0.25, abs=1e-6), i % 7) for i in range(9)]
    # the hand strikes where groups begin more often than at the other eighths, and nowhere between eighths
    places = [round(note["due_s"] / 0.25, 3) % 7 for note in sent]
    assert len(places) > 10 and sum(place in (0, 3, 5) for place in places) > len(places) / 2
    assert all(place == round(place) for place in places)


@pytest.mark.parametrize("signed", [(5, 16), (7, 16), (13, 16), (10, 16)])
def test_a_metre_of_sixteenths_is_played_as_the_same_of_eighths_in_half_the_time(
    tmp_path: Path, signed: tuple[int, int]
) -> None:
    notes = [(1, root + 12 + above) for root in ROOTS for above in (0, 4, 7, 4, 12)] * 3
    slow, _, _ = played(save(tmp_path / "a.mid", notes, (0, signed[0], 8)))
    track = mido.MidiFile(tmp_path / "a.mid")
    for message in (message for one in track.tracks for message in one):
        message.time //= 2
        if message.type == "set_tempo":
            message.tempo *= 2
        if message.type == "time_signature":
            message.denominator *= 2
    track.save(tmp_path / "b.mid")
    fast, _, _ = played(tmp_path / "b.mid")
    assert len(slow) > 10 and [note["pitch"] for note in fast] == [note["pitch"] for note in slow]
    # as many strikes as a left hand plays: it was five strikes a beat of an eighth
    assert len({note["due_s"] for note in slow}) < 1.2 * len(notes)


def test_nine_eight_is_three_dotted_beats(tmp_path: Path) -> None:
    sent, told, output = played(save(tmp_path / "nine.mid", tune((2, 1, 1, 1, 1, 3), 9), (0, 9, 8)))
    assert sent and "is played by its 3 beats a bar" in output
    assert told[:7] == [(pytest.approx(i * 0.75, abs=1e-6), i % 3) for i in range(7)]


def test_a_piece_that_changes_between_two_notations_is_played_on(tmp_path: Path) -> None:
    notes = tune((2, 1, 1, 1, 1), 5)
    mixed = save(tmp_path / "mixed.mid", notes, (0, 6, 8), (6 * 2 * EIGHTH, 12, 8), (6 * 4 * EIGHTH, 3, 8))
    assert played(mixed)[0] == played(save(tmp_path / "six.mid", notes, (0, 6, 8)))[0]


def test_a_fixed_clock_counts_the_beat_of_the_signature(tmp_path: Path) -> None:
    notes = tune((2, 2, 1, 1, 2), 3)
    half = played(save(tmp_path / "a.mid", notes), "--clock", "fixed", "--tempo", "60", "--meter", "2/2")
    quarter = played(save(tmp_path / "b.mid", notes), "--clock", "fixed", "--tempo", "120", "--meter", "4/4")
    assert half[0] == quarter[0] and len(half[0]) > 10
    assert half[1] == [(time_s, position // 2) for time_s, position in quarter[1] if position % 2 == 0]


@pytest.mark.parametrize("signed", [[], [(0, 4, 4)], [(0, 4, 4), (4800, 2, 4)]], ids=["none", "4/4", "4/4 and 2/4"])
@pytest.mark.parametrize("options", [(), ("--upbeat", "1")], ids=["no upbeat", "an upbeat"])
def test_a_metre_that_is_given_takes_the_place_of_the_file_s(
    tmp_path: Path, signed: list[tuple[int, int, int]], options: tuple[str, ...]
) -> None:
    notes = tune((2, 1, 1, 2), seed=3)
    sent, told, output = played(save(tmp_path / "waltz.mid", notes, *signed), "--meter", "3/4", *options)
    waltz = played(save(tmp_path / "signed.mid", notes, (0, 3, 4)), *options)
    assert (sent, told) == waltz[:2]
    assert sent
    assert "The beat is that of the file's tempo map." in output


def test_a_tempo_for_a_file_with_a_tempo_of_its_own_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mid", tune((2, 2), seed=1))
    result = CliRunner().invoke(main, ["play", str(path), "--report", str(tmp_path / "a.json"), "--tempo", "96"])
    assert result.exit_code != 0
    assert "leave out --tempo, or give --clock fixed" in result.output
