"""`lefthand play` on a MIDI file that was played without a click: it says so and follows the notes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import mido
import numpy as np
import pytest
from click.testing import CliRunner

from device.cli import main
from device.clock.meter import Meter
from device.following.follow_clock import FollowClock
from device.following.look_ahead import beats_before

TICKS, TEMPO = 480, 84.0
KEYS = (64, 67, 72, 67, 65, 69, 67, 65, 62, 67, 71, 69, 67, 64, 67, 72)
LENGTHS = (1.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 2.0)
"""In quarters: two bars of 4/4."""
SAID = "does not fit its notes"


def save(path: Path, seconds_of_beat: float, free: float, signature: tuple[int, int] = (4, 4)) -> np.ndarray:
    """Write 64 notes under 120 quarters a minute. Return the times of the beats as they were played, in seconds."""
    rng = np.random.default_rng(1)
    onsets = np.concatenate([[0.0], np.cumsum(np.resize(LENGTHS, 64))])
    beats = np.arange(int(onsets[-1]) + 2)
    lengths_s = seconds_of_beat * (1 + free * np.sin(beats / 7) + free / 3 * rng.normal(0, 1, len(beats)))
    time_s = np.concatenate([[0.0], np.cumsum(lengths_s)[:-1]])
    ticks = np.rint(np.interp(onsets, beats, time_s) * 2 * TICKS).astype(int)
    conductor = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    conductor.append(mido.MetaMessage("time_signature", numerator=signature[0], denominator=signature[1]))
    track, last = mido.MidiTrack(), 0
    for i, (on, off) in enumerate(zip(ticks[:-1], ticks[1:], strict=True)):
        track.append(mido.Message("note_on", note=KEYS[i % len(KEYS)], velocity=70, time=int(on) - last))
        track.append(mido.Message("note_off", note=KEYS[i % len(KEYS)], time=int(off - on) - 1))
        last = int(off) - 1
    mido.MidiFile(tracks=[conductor, track], ticks_per_beat=TICKS).save(path)
    return time_s[beats <= onsets[-2]]


def played(path: Path, *options: str) -> tuple[dict[str, object], bytes, str]:
    """Return the report, the bytes of the left hand and the text on the terminal."""
    report, hand = path.with_suffix(".json"), path.with_suffix(".hand.mid")
    result = CliRunner().invoke(main, ["play", str(path), "--report", str(report), "--midi", str(hand), *options])
    assert result.exit_code == 0, result.output
    return json.loads(report.read_text()), hand.read_bytes(), result.output


def test_a_file_played_without_a_click_is_followed_and_says_so(tmp_path: Path) -> None:
    save(tmp_path / "free.mid", 60 / TEMPO, 0.03)
    told, _, output = played(tmp_path / "free.mid")
    assert output.count(SAID) == 1 and SAID in " ".join(map(str, told["warnings"]))
    _, _, quiet = played(tmp_path / "free.mid", "--clock", "follow")
    assert SAID not in quiet
    by_map, _, quiet = played(tmp_path / "free.mid", "--clock", "file")
    assert SAID not in quiet and by_map["beats"] != told["beats"]


def test_a_beat_that_was_looked_for_ahead_is_not_said_to_be_tapped(tmp_path: Path) -> None:
    save(tmp_path / "free.mid", 60 / TEMPO, 0.03)
    _, _, output = played(tmp_path / "free.mid")
    assert "tapped" not in output
    assert (
        "No count-in (four even notes on one key) was heard, so the beat was found in the notes of the file, also in "
        "later ones: if you counted in, --count-in N says" in output
    )
    _, _, told_of_none = played(tmp_path / "free.mid", "--count-in", "0")
    assert "No count-in was looked for, and the beat was found in the notes of the file, also in later" in told_of_none


@pytest.mark.parametrize("beat_s", [60 / TEMPO, 0.62, 0.57])
def test_nine_of_ten_beats_are_within_70_ms_of_the_player_s_from_the_first_note_on(
    tmp_path: Path, beat_s: float
) -> None:
    true = save(tmp_path / "free.mid", beat_s, 0.03)
    told, _, output = played(tmp_path / "free.mid")
    assert SAID in output
    beats = told["beats"]
    times = np.array([beat["time_s"] for beat in beats])  # type: ignore[attr-defined]
    found = np.array([np.abs(times - beat_s).min() < 0.07 for beat_s in true])
    assert found.mean() >= 0.9 and found[:8].mean() >= 0.75
    assert len(times) < 1.2 * len(true) + 8


def test_a_count_in_at_the_beginning_is_heard_as_one(tmp_path: Path) -> None:
    notes = [(1.0 + 0.7 * i, 72) for i in range(4)]
    notes += [
        (3.8 + 0.7 * (4 * bar + place), 60 + 2 * i + bar) for bar in range(6) for i, place in enumerate((0, 1, 2, 3))
    ]
    assert beats_before(FollowClock(Meter(4, 4)), notes) is None
    taps = beats_before(FollowClock(Meter(4, 4)), notes[4:])
    assert taps is not None and np.diff(taps) == pytest.approx(0.7, abs=0.03)


def save_few(path: Path, beat_s: float, count_key: int | None) -> None:
    """Write four counts on one key, or on the keys of a melody, and seven slow notes, under 120 quarters a minute."""
    track, last = mido.MidiTrack(), 0
    for i in range(11):
        beat = i if i < 4 else 4 + 3 * (i - 4)
        at = round((1.0 + beat * beat_s) * 2 * TICKS)
        key = count_key if count_key is not None and i < 4 else KEYS[i] - (i < 4)
        track.append(mido.Message("note_on", note=key, velocity=70, time=at - last))
        track.append(mido.Message("note_off", note=key, time=TICKS // 2))
        last = at + TICKS // 2
    mido.MidiFile(tracks=[track], ticks_per_beat=TICKS).save(path)


def test_few_slow_notes_after_a_count_in_are_followed(tmp_path: Path) -> None:
    save_few(tmp_path / "slow.mid", 60 / TEMPO, 72)
    told, _, output = played(tmp_path / "slow.mid")
    assert SAID in output and "after a count-in of 4" in output
    times = [beat["time_s"] for beat in told["beats"]]  # type: ignore[attr-defined]
    assert np.diff(times[:4]) == pytest.approx(60 / TEMPO, abs=0.06)


@pytest.mark.parametrize(("beat_s", "count_key"), [(60 / TEMPO, None), (0.5, 72)])
def test_the_map_is_believed_for_few_notes_without_a_count_in_and_for_counts_on_its_beats(
    tmp_path: Path, beat_s: float, count_key: int | None
) -> None:
    save_few(tmp_path / "few.mid", beat_s, count_key)
    _, _, output = played(tmp_path / "few.mid")
    assert SAID not in output


def test_notes_without_a_beat_give_none() -> None:
    assert beats_before(FollowClock(Meter(4, 4)), [(1.0, 60), (5.0, 62), (5.1, 64)]) is None


def test_a_file_whose_map_fits_is_played_by_its_map(tmp_path: Path) -> None:
    save(tmp_path / "click.mid", 0.5, 0.0)
    told, hand, output = played(tmp_path / "click.mid")
    asked, asked_hand, _ = played(tmp_path / "click.mid", "--clock", "file")
    assert SAID not in output and told["beats"] == asked["beats"] and hand == asked_hand


@pytest.mark.parametrize(("signature", "beats"), [((3, 4), 3), ((6, 8), 2)])
def test_a_followed_file_keeps_its_metre(tmp_path: Path, signature: tuple[int, int], beats: int) -> None:
    save(tmp_path / "free.mid", 60 / TEMPO, 0.03, signature)
    told, _, _ = played(tmp_path / "free.mid")
    positions = {beat["position"] for beat in told["beats"]}  # type: ignore[attr-defined]
    assert positions == set(range(beats))


def test_a_tempo_is_a_hint_where_the_map_does_not_fit(tmp_path: Path) -> None:
    save(tmp_path / "free.mid", 60 / TEMPO, 0.03)
    _, _, output = played(tmp_path / "free.mid", "--tempo", "84")
    assert SAID in output


def save_in_frames(path: Path, signature: tuple[int, int] = (4, 4)) -> None:
    save(path, 60 / TEMPO, 0.0, signature)
    content = bytearray(path.read_bytes())
    content[12:14] = (-24 & 0xFF, 40)  # 24 frames of 40 ticks: as many as at 120 quarters of 480 ticks a minute
    path.write_bytes(content)


def test_a_file_in_smpte_frames_is_followed_and_says_so(tmp_path: Path) -> None:
    save_in_frames(tmp_path / "frames.mid")
    told, hand, output = played(tmp_path / "frames.mid")
    assert output.count("counts in SMPTE frames") == 1 and told["beats"]
    assert any(message.type == "note_on" for track in mido.MidiFile(file=io.BytesIO(hand)).tracks for message in track)


def test_a_file_in_smpte_frames_has_the_metre_of_its_time_signature(tmp_path: Path) -> None:
    save_in_frames(tmp_path / "frames.mid", (3, 4))
    told, _, _ = played(tmp_path / "frames.mid")
    assert {beat["position"] for beat in told["beats"]} == {0, 1, 2}  # type: ignore[attr-defined]
