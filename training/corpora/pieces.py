"""Defines a piece: notes with their hands, bars, and the times of the beats if somebody performed it.

Every corpus is converted to this form. The project's models learn from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CORPORA = ("pop909", "chopin", "lieder")
SPLITS = ("train", "valid", "test")


class HandLabel(IntEnum):
    """Says who plays a note: the pianist's right or left hand, a singer, or an unknown hand of the pianist."""

    RIGHT = 0
    LEFT = 1
    VOICE = 2
    OTHER = 3
    """The pianist plays the note, but it is not known with which hand."""


NOTE_DTYPE = np.dtype(
    [("onset", "<f4"), ("duration", "<f4"), ("pitch", "u1"), ("velocity", "u1"), ("hand", "u1")],
)
"""Fields: onset in quarters from the piece's start, duration in quarters, MIDI pitch, velocity (0: unknown), and
`HandLabel`."""

BARE_NOTE_DTYPE = np.dtype([("onset", "<f8"), ("duration", "<f8"), ("pitch", "u1")])
"""Fields of a note without its hand: onset and duration in quarters, MIDI pitch. The device's left hand is compared
with others in this form."""

Notes = npt.NDArray[Any]
"""A structured array of notes [n] with at least the fields of `BARE_NOTE_DTYPE`."""

Meter = tuple[float, int, int]
"""A meter: (quarter from which it holds, number of beats in a bar, note value of a beat). 4 means quarter notes."""


@dataclass(frozen=True)
class Piece:
    """One movement, song or edition. The times of its notes are not rounded to a grid.

    `notes` is sorted by onset, then pitch. `downbeats` are the quarters at which full bars start; after a pickup the
    first is above 0. `beat_s` is the time in seconds of each quarter 0, 1, 2 ..., or None for a score.
    All pieces of one `group` are in the same split. All editions of one piece have the same `work`, and exactly one of
    them is `primary`.
    """

    name: str
    corpus: str
    group: str
    work: str
    split: str
    notes: Notes
    meters: list[Meter]
    downbeats: npt.NDArray[np.float64]
    beat_s: npt.NDArray[np.float64] | None = None
    primary: bool = True
    title: str = ""

    def of(self, *hands: HandLabel) -> Notes:
        """Return the notes of the given hands, in the order of the piece."""
        return self.notes[np.isin(self.notes["hand"], hands)]

    def seconds(self, quarters: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the times in seconds of these quarters. Raises ValueError for a score, which has no beat times."""
        if self.beat_s is None:
            raise ValueError(f"{self.name} is a score: it has quarters and no seconds")
        return np.interp(np.asarray(quarters, np.float64), np.arange(len(self.beat_s)), self.beat_s)


def as_notes(
    onset: npt.ArrayLike, duration: npt.ArrayLike, pitch: npt.ArrayLike, velocity: npt.ArrayLike, hand: npt.ArrayLike
) -> Notes:
    """Build a sorted array of `NOTE_DTYPE` from columns. Each column has length n or is a scalar."""
    columns = np.broadcast_arrays(onset, duration, pitch, velocity, hand)
    notes = np.empty(columns[0].shape, NOTE_DTYPE)
    for name, column in zip(NOTE_DTYPE.names or (), columns, strict=True):
        notes[name] = column
    return np.sort(notes, order=("onset", "pitch", "hand"))


def piece_path(cache: Path, corpus: str, name: str) -> Path:
    """Return the path of the file in `cache` that holds the piece: pieces/CORPUS/NAME.npz."""
    return cache / "pieces" / corpus / f"{name}.npz"


def save_piece(cache: Path, piece: Piece) -> Path:
    """Write a piece into the cache folder and return the path of its file.

    The file is written in one step, so that a reader finds all of it or nothing.
    """
    path = piece_path(cache, piece.corpus, piece.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            np.savez(
                file,
                text=np.array([piece.name, piece.corpus, piece.group, piece.work, piece.split, piece.title]),
                primary=np.array(piece.primary),
                notes=piece.notes,
                meters=np.array(piece.meters, np.float64).reshape(-1, 3),
                downbeats=np.asarray(piece.downbeats, np.float64),
                beat_s=np.empty(0) if piece.beat_s is None else np.asarray(piece.beat_s, np.float64),
            )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def load_piece(path: Path, split: str | None = None) -> Piece | None:
    """Read one piece from its file. Returns None if `split` is given and the piece is in another split."""
    with np.load(path, allow_pickle=False) as data:
        name, corpus, group, work, own_split, title = (str(text) for text in data["text"])
        if split is not None and split != own_split:
            return None
        beat_s = data["beat_s"]
        return Piece(
            name=name,
            corpus=corpus,
            group=group,
            work=work,
            split=own_split,
            notes=data["notes"],
            meters=[(float(quarter), int(beats), int(beat_type)) for quarter, beats, beat_type in data["meters"]],
            downbeats=data["downbeats"],
            beat_s=beat_s if len(beat_s) else None,
            primary=bool(data["primary"]),
            title=title,
        )


def load_pieces(cache: Path, corpus: str, split: str | None = None) -> list[Piece]:
    """Return the cached pieces of a corpus, sorted by name; with `split`, only those of this split.

    The list is empty if `python -m training prepare` has not run.
    """
    paths = sorted((cache / "pieces" / corpus).glob("*.npz"))
    return [piece for path in paths if (piece := load_piece(path, split)) is not None]
