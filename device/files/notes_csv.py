"""Writes and reads NOTES.csv, which holds one heard note in each line."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from device.events import Hand, Note

COLUMNS = ("onset_s", "offset_s", "midi_pitch", "velocity", "confidence", "decided_s", "hand")
_DIGITS = 6
"""Decimal places of a second. A microsecond is shorter than a sample at 384 kHz."""
_HANDS: dict[str, Hand] = {"right": "right", "left": "left", "own": "own"}


def write_notes(path: Path, notes: Sequence[Note]) -> None:
    """Write `notes`, sorted by the time of decision. `offset_s` is empty for a note that has not ended."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for note in sorted(notes, key=lambda n: (n.decided_s, n.onset_s, n.pitch)):
            offset = "" if note.offset_s is None else f"{note.offset_s:.{_DIGITS}f}"
            onset, decided = f"{note.onset_s:.{_DIGITS}f}", f"{note.decided_s:.{_DIGITS}f}"
            rows.writerow([onset, offset, note.pitch, note.velocity, f"{note.confidence:.4f}", decided, note.hand])


def read_notes(path: Path) -> list[Note]:
    """Return the notes of a file from `write_notes`. Raises KeyError or ValueError for any other file."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Note(
                onset_s=float(row["onset_s"]),
                offset_s=float(row["offset_s"]) if row["offset_s"] else None,
                pitch=int(row["midi_pitch"]),
                velocity=int(row["velocity"]),
                confidence=float(row["confidence"]),
                decided_s=float(row["decided_s"]),
                hand=_HANDS[row["hand"]],
            )
            for row in csv.DictReader(file)
        ]
