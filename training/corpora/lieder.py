"""Reads OpenScore Lieder (github.com/OpenScore/Lieder), songs for voice and piano in MusicXML, with partitura.

The piano's upper staff is the right hand and its lower staff is the left hand. The part of every other instrument or
singer is the voice. Ties are merged. Grace notes, which have no duration, are left out. Repeats are not unfolded.
"""

from __future__ import annotations

import unicodedata
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import partitura
from partitura.score import GraceNote, Measure, Note, Part, TimeSignature, Transposition

from training.corpora.bars import full_bars
from training.corpora.pieces import HandLabel, Meter, Piece, as_notes
from training.corpora.splits import split_of_name

ARCHIVE = "openscore-lieder"


class NoPianoError(ValueError):
    """Raised for a score in which no part has two staves, such as a part song."""


def song_files(root: Path) -> list[Path]:
    """Return the paths of all scores, sorted."""
    return sorted(root.glob("**/scores/*/**/*.mxl"))


def place_of(path: Path) -> tuple[str, str]:
    """Return composer and work (composer/set/song) from a path under `scores`, in Unicode form NFC."""
    parts = [unicodedata.normalize("NFC", part) for part in path.parent.parts]
    start = len(parts) - parts[::-1].index("scores")
    return parts[start], "/".join(parts[start:])


def read_song(path: Path) -> Piece:
    """Read one `.mxl` or `.musicxml` file and return it as a piece. Raises NoPianoError if no part has two staves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = partitura.load_musicxml(str(path))
    parts = [part for part in score.parts if part.notes_tied]
    pianos = [part for part in parts if is_piano(part)]
    if not pianos:
        raise NoPianoError(f"{path.name} has no part with two staves")
    piano = max(pianos, key=lambda part: len(part.notes_tied))
    blocks = [rows(piano)] + [rows(part, HandLabel.VOICE) for part in parts if part not in pianos]
    onset, duration, pitch, hand = np.concatenate(blocks).T
    meters = meters_of(piano)
    starts = sorted(quarters(piano, [measure.start.t for measure in piano.iter_all(Measure)]).tolist())
    composer, work = place_of(path)
    return Piece(
        name=path.stem,
        corpus="lieder",
        group=composer,
        work=work,
        split=split_of_name(composer),
        notes=as_notes(onset, duration, pitch, 0, hand),
        meters=meters,
        downbeats=full_bars(starts, float(quarters(piano, [piano.last_point.t])[0]), meters),
        title=work.rsplit("/", 1)[-1].replace("_", " "),
    )


def is_piano(part: Part) -> bool:
    """Return whether the part has notes on a second staff."""
    return max(note.staff or 1 for note in part.notes_tied) > 1


def quarters(part: Part, ticks: list[int]) -> Any:
    """Convert ticks to quarters since the part's first tick, float [ticks]. The time of a pickup counts."""
    return part.quarter_map(np.array(ticks, np.float64)) - part.quarter_map(part.first_point.t)


def rows(part: Part, hand: HandLabel | None = None) -> Any:
    """Return the notes of a part, float [n, 4]: onset and duration in quarters, sounding pitch, hand.

    If `hand` is None, notes on the first staff are the right hand's and all others the left hand's.
    """
    shift = transposition_of(part)
    notes = [note for note in part.notes_tied if isinstance(note, Note) and not isinstance(note, GraceNote)]
    onset = quarters(part, [note.start.t for note in notes])
    offset = quarters(part, [note.end_tied.t for note in notes])
    pitch = [note.midi_pitch + shift for note in notes]
    by_staff = [HandLabel.RIGHT if (note.staff or 1) == 1 else HandLabel.LEFT for note in notes]
    table = np.array([onset, offset - onset, pitch, by_staff if hand is None else [hand] * len(notes)], np.float64)
    return table.T[table[1] > 0]


def transposition_of(part: Part) -> int:
    """Return semitones from written to sounding pitch. It is not 0 for a clarinet or a tenor's clef, for example."""
    found = next(part.iter_all(Transposition), None)
    return 0 if found is None else int(found.chromatic or 0)


def meters_of(part: Part) -> list[Meter]:
    """Return the meters of the part, sorted by time; 4/4 from quarter 0 if the part has none."""
    found = sorted(part.iter_all(TimeSignature), key=lambda signature: signature.start.t)
    meters: list[Meter] = [
        (float(quarters(part, [item.start.t])[0]), int(item.beats), int(item.beat_type)) for item in found
    ]
    return meters or [(0.0, 4, 4)]
