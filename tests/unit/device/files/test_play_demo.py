"""The demo recording through the shipped models: notes, count-in, left hand, and the same result for all blocks."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from device.cli import main
from training.demo import LEAD_S, SCORE, SOUND, TEMPO, perform, read_score

BEAT_S = 60 / TEMPO
FIRST_BAR_S = LEAD_S + 4 * BEAT_S
CUT_S = 9.63
PLAYED_S = 16.0
"""Seconds of the demo that a test uses."""


class Run:
    """The output of `lefthand play` for an input."""

    def __init__(self, sound: Path, folder: Path, *options: str) -> None:
        notes, report, self.midi = folder / "notes.csv", folder / "report.json", folder / "left.mid"
        files = ["--notes", notes, "--report", report, "--midi", self.midi]
        result = CliRunner().invoke(main, ["play", str(sound), *map(str, files), *options])
        assert result.exit_code == 0, result.output
        self.notes = list(csv.DictReader(notes.open()))
        self.report: dict[str, Any] = json.loads(report.read_text())

    def heard_by(self, seconds: float) -> list[tuple[str, ...]]:
        """Return the notes decided by that time, without their offsets."""
        columns = ("onset_s", "midi_pitch", "velocity", "confidence", "decided_s", "hand")
        return [tuple(n[c] for c in columns) for n in self.notes if float(n["decided_s"]) <= seconds]

    def sent_before(self, seconds: float) -> list[dict[str, Any]]:
        """Return the note-ons that sound before that time."""
        return [send for send in self.report["sent"] if send["due_s"] < seconds]


@pytest.fixture(scope="module")
def samples() -> tuple[np.ndarray, int]:
    whole, rate = soundfile.read(SOUND, dtype="int16")
    return whole[: round(PLAYED_S * rate)], rate


@pytest.fixture(scope="module")
def whole(samples: tuple[np.ndarray, int], tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("whole")
    soundfile.write(folder / "in.wav", *samples, subtype="PCM_16")
    return Run(folder / "in.wav", folder)


def test_the_right_hand_is_heard(whole: Run) -> None:
    written = {(round(n.onset_s, 3), n.pitch) for n in perform(read_score(SCORE.read_text())) if n.onset_s < 15.9}
    heard = {(float(n["onset_s"]), int(n["midi_pitch"])) for n in whole.notes if n["hand"] == "right"}
    found = [w for w in written if any(w[1] == pitch and abs(w[0] - at) < 0.05 for at, pitch in heard)]
    assert len(found) >= 0.95 * len(written)
    assert len(heard) <= 1.05 * len(written)


def test_the_beat_is_the_players_from_the_first_bar_on(whole: Run) -> None:
    beats = whole.report["beats"]
    assert beats[0]["time_s"] == pytest.approx(FIRST_BAR_S, abs=0.03)
    assert all(beat["position"] == i % 4 for i, beat in enumerate(beats))
    late = [beat["time_s"] - FIRST_BAR_S - i * BEAT_S for i, beat in enumerate(beats)]
    assert max(map(abs, late)) < 0.05
    assert all(beat["predicted_at_s"] < beat["time_s"] for beat in beats)


def test_the_count_in_is_answered_by_nothing_and_the_music_by_a_left_hand(whole: Run) -> None:
    assert not whole.sent_before(FIRST_BAR_S - 0.05)
    assert len(whole.sent_before(PLAYED_S)) > 10
    assert whole.report["chords"]
    assert all(send["sent_s"] <= send["due_s"] for send in whole.report["sent"])


def test_the_left_hands_file_holds_what_was_sent_and_closes_every_note(whole: Run) -> None:
    messages = [m for m in mido.MidiFile(whole.midi) if m.type in ("note_on", "note_off")]
    assert sum(m.type == "note_on" for m in messages) == len(whole.report["sent"])
    assert sum(m.type == "note_off" for m in messages) == len(whole.report["sent"])
    assert mido.MidiFile(whole.midi).length <= PLAYED_S + 2 * 4 * BEAT_S


def test_the_left_hand_ends_on_the_tonic_after_the_last_note_of_the_file(tmp_path: Path) -> None:
    report = Run(SOUND, tmp_path).report
    last_s = report["sent"][-1]["due_s"]
    assert last_s > report["input"]["seconds"]
    last = [send["pitch"] for send in report["sent"] if send["due_s"] == last_s]
    assert min(last) % 12 == 2 and {pitch % 12 for pitch in last} <= {2, 6, 9}, "the minuet is in D major"


@pytest.mark.parametrize("then", ["nothing", "noise"])
def test_what_comes_later_changes_nothing_before(
    whole: Run, samples: tuple[np.ndarray, int], tmp_path: Path, then: str
) -> None:
    sound, rate = samples
    cut = sound[: round(CUT_S * rate)]
    noise = np.random.default_rng(0).normal(0, 3_000, 3 * rate).astype(np.int16)
    soundfile.write(tmp_path / "in.wav", cut if then == "nothing" else np.concatenate([cut, noise]), rate)
    run = Run(tmp_path / "in.wav", tmp_path)
    assert run.heard_by(CUT_S) == whole.heard_by(CUT_S)
    assert run.sent_before(CUT_S) == whole.sent_before(CUT_S) != []
    if then == "nothing":
        assert len(run.notes) == len(whole.heard_by(CUT_S))


def test_what_we_sent_is_not_taken_for_the_players(samples: tuple[np.ndarray, int], tmp_path: Path) -> None:
    sound, rate = samples
    soundfile.write(tmp_path / "in.wav", sound[: 5 * rate], rate)
    listened = Run(tmp_path / "in.wav", tmp_path, "--listen").notes
    on = mido.Message("note_on", note=74, velocity=64, time=0)
    to_tick = round(float(listened[0]["onset_s"]) * 960)
    mido.MidiFile(tracks=[mido.MidiTrack([on.copy(time=to_tick), on.copy(velocity=0, time=480)])]).save(
        tmp_path / "sent.mid"
    )
    masked = Run(tmp_path / "in.wav", tmp_path, "--sent", str(tmp_path / "sent.mid"))
    assert listened[0]["midi_pitch"] == "74" and listened[0]["hand"] == "right"
    assert not [n for n in masked.notes if n["onset_s"] == listened[0]["onset_s"] and n["hand"] == "right"]
    assert [n["midi_pitch"] for n in masked.notes[-3:]] == [n["midi_pitch"] for n in listened[-3:]]
    assert not masked.report["sent"]
