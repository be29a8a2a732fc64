"""NOTES.csv: its columns, its order, and that no note is lost."""

from __future__ import annotations

from pathlib import Path

from device.events import Note
from device.files.results.notes_csv import read_notes, write_notes

LATE = Note(0.512, None, 60, 64, 0.75, 0.576, "right")
EARLY = Note(0.5, 0.9, 48, 100, 1.0, 0.56, "own")


def test_the_columns_are_those_that_were_promised(tmp_path: Path) -> None:
    write_notes(tmp_path / "notes.csv", [LATE])
    header, row = (tmp_path / "notes.csv").read_text().splitlines()
    assert header == "onset_s,offset_s,midi_pitch,velocity,confidence,decided_s,hand"
    assert row == "0.512000,,60,64,0.7500,0.576000,right"


def test_notes_stand_in_the_order_of_their_decisions_and_read_back_the_same(tmp_path: Path) -> None:
    write_notes(tmp_path / "notes.csv", [LATE, EARLY])
    assert read_notes(tmp_path / "notes.csv") == [EARLY, LATE]


def test_nothing_heard_is_a_header_alone(tmp_path: Path) -> None:
    write_notes(tmp_path / "notes.csv", [])
    assert read_notes(tmp_path / "notes.csv") == []
