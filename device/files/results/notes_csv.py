"""Writes and reads NOTES.csv, which holds one heard note in each line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from device.events import Hand, Note

COLUMNS = ("onset_s", "offset_s", "midi_pitch", "velocity", "confidence", "decided_s", "hand")
_DIGITS = 6
"""Decimal places of a second. A microsecond is shorter than a sample at 384 kHz."""
_HANDS: dict[str, Hand] = {"right": "right", "left": "left", "own": "own"}


_WIDTH = 14
"""Characters of `offset_s` in a row whose note may still end: enough for three months."""


def header() -> str:
    """Return the first line of the file."""
    return ",".join(COLUMNS) + "\n"


def row(note: Note) -> tuple[str, int]:
    """Return the line for `note`, and the index in that line at which the field offset_s begins.

    That field has a fixed width, so the text of `offset` can overwrite it later, when the note has ended.
    """
    onset = f"{note.onset_s:.{_DIGITS}f},"
    rest = f",{note.pitch},{note.velocity},{note.confidence:.4f},{note.decided_s:.{_DIGITS}f},{note.hand}\n"
    return onset + offset(note.offset_s) + rest, len(onset)


def offset(seconds: float | None) -> str:
    """Return the text of the field offset_s with a fixed width: the seconds, or spaces if `seconds` is None."""
    return " " * _WIDTH if seconds is None else f"{seconds:{_WIDTH}.{_DIGITS}f}"


def write_notes(path: Path, notes: Sequence[Note]) -> None:
    """Write `notes` to the file `path`, sorted by the time of decision.

    offset_s is empty for a note that has not ended.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for note in sorted(notes, key=lambda n: (n.decided_s, n.onset_s, n.pitch)):
            offset = "" if note.offset_s is None else f"{note.offset_s:.{_DIGITS}f}"
            onset, decided = f"{note.onset_s:.{_DIGITS}f}", f"{note.decided_s:.{_DIGITS}f}"
            rows.writerow([onset, offset, note.pitch, note.velocity, f"{note.confidence:.4f}", decided, note.hand])


def read_notes(path: Path) -> list[Note]:
    """Return the notes of a file from `write_notes` or of a recording. Raises KeyError or ValueError for another file.

    A recording that was cut off may end within a row, or with zeros. Such a row is left out.
    """
    rows = path.read_text(encoding="utf-8").partition("\0")[0]
    with io.StringIO(rows[: rows.rfind("\n") + 1], newline="") as file:
        return [
            Note(
                onset_s=float(row["onset_s"]),
                offset_s=float(row["offset_s"]) if row["offset_s"].strip() else None,
                pitch=int(row["midi_pitch"]),
                velocity=int(row["velocity"]),
                confidence=float(row["confidence"]),
                decided_s=float(row["decided_s"]),
                hand=_HANDS[row["hand"]],
            )
            for row in csv.DictReader(file)
        ]
