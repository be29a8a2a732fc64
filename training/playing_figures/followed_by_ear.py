"""Measures what it costs the clock that it hears the player from sound, and not by MIDI.

The right hands of real performances are rendered on the held-out piano, which no training uses, dry and in a room. The
transcriber of a bundle hears them. The clock gets each right-hand note when it is decided. A note below `SPLIT` that is
heard from sound counts as one of the player's left hand, so performances with many such notes are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from device.bundles.bundle import Bundle
from device.events import Note
from device.files.midi.file import read_midi
from device.following.follow_clock import FollowClock
from device.settings.choices import SPLIT
from training.playing_figures.by_ear import PLACES, Ear
from training.playing_figures.followed_hand import file_of
from training.playing_figures.following import (
    COUNT_IN,
    FROM_S,
    Decided,
    Performed,
    followed,
    load_performances,
    scored,
    shift_s,
    summed,
    told_to,
)
from training.playing_figures.following_table import KeptRows, Row
from training.scenes.render import Played

WAY = "count-in"
COLUMNS = ("F70", "CMLt", "held", "loss/min", "back", "never", "AUC", "sure")
LOW_NOTES = 0.03
"""Largest share of notes below `SPLIT` in a performance that is measured."""
BY_MIDI, DIFFERENCE = "by MIDI", "F70 by ear minus F70 by MIDI"


def can_be_heard(piece: Performed) -> bool:
    """Return whether nearly all notes of a performance are high enough for a right hand that is heard from sound."""
    notes = piece.notes[WAY]
    return sum(pitch < SPLIT for _, pitch in notes) <= LOW_NOTES * len(notes)


def played_in(path: Path) -> list[Played]:
    """Return all notes of the MIDI file `path`."""
    notes = read_midi(path).part(None).split(0).notes
    return [Played(n.onset_s, n.onset_s if n.offset_s is None else n.offset_s, n.pitch, n.velocity) for n in notes]


def heard_by(ear: Ear, notes: Sequence[Played]) -> list[Decided]:
    """Return the right-hand notes that `ear` hears when `notes` are played, in the order of their decision."""
    events = ear.heard_in(ear.sound_of(notes))
    return [(n.onset_s, n.decided_s, n.pitch) for n in events if isinstance(n, Note) and n.hand == "right"]


def evaluate_by_ear(
    folder: Path, cache: Path, bundle: Bundle, every: int = 1, rows: Path | None = None
) -> dict[str, dict[str, float]]:
    """Print and return the measures of the clock, with a count-in, by MIDI and by ear in each of `PLACES`.

    The result maps a row to figures by name. With `every` n, only each n-th of the performances that can be heard is
    used. `rows` is a file in which the scores of single pieces are kept. Raises UserError if `folder` has no
    performances, or if `cache` has no held-out piano.
    """
    ears = {f"by ear, {place}": Ear(bundle, cache, place) for place in PLACES}
    pieces = [piece for piece in load_performances(folder) if can_be_heard(piece)][::every]
    kept, table = KeptRows(rows), dict[str, dict[str, float]]()
    click.echo(f"{f'{len(pieces)} performances':24s}" + "".join(f"{name:>9s}" for name in COLUMNS))
    _show(table, BY_MIDI, [kept.get(BY_MIDI, piece.name, lambda piece=piece: _by_midi(piece)) for piece in pieces])  # type: ignore[misc]
    for name, ear in ears.items():
        found = [
            kept.get(name, piece.name, lambda piece=piece, ear=ear: _by_ear(folder, piece, ear))  # type: ignore[misc]
            for piece in pieces
        ]
        _show(table, name, found)
        table[name][DIFFERENCE] = table[name]["F70"] - table[BY_MIDI]["F70"]
        click.echo(f"{name}: {DIFFERENCE} is {table[name][DIFFERENCE]:+.3f}.")
    return table


def _by_midi(piece: Performed) -> Row:
    return scored(piece.beats[WAY], followed(piece, WAY), FROM_S + shift_s(piece, WAY))


def _by_ear(folder: Path, piece: Performed, ear: Ear) -> Row:
    heard = heard_by(ear, played_in(file_of(folder, piece.name, WAY)))
    told = told_to(FollowClock(piece.meter, COUNT_IN), heard)
    return scored(piece.beats[WAY], told, FROM_S + shift_s(piece, WAY))


def _show(table: dict[str, dict[str, float]], name: str, rows: Sequence[Row]) -> None:
    table[name] = summed(rows)
    cells = [f"{table[name][c]:9.3f}" if c in table[name] else f"{'-':>9s}" for c in COLUMNS]
    click.echo(f"{name:24s}" + "".join(cells))
