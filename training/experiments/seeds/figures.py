"""Measures the left hands that the seeds play to the same held-out songs, and compares them in one table.

A seed is an early net that accompanies a melody (`training.experiments.seeds`). Its figures are the panel of
`training.playing_figures.panel`. A MIDI file with an example to listen to is written beside them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import mido
import numpy as np

from device.bundles.bundle import Bundle, default_bundle
from device.errors import UserError
from device.files.midi.file import read_midi
from training.corpora.pieces import HandLabel, Piece, load_pieces
from training.experiments.seeds.data import Song, roll_of_keys, song_of
from training.experiments.seeds.setup import CHORALES, SEEDS
from training.playing_figures.baselines import BASELINES
from training.playing_figures.measure import play as play_shipped
from training.playing_figures.measure import right_hand_of, song_rolls
from training.playing_figures.panel import STEPS_PER_QUARTER, Roll, panel

BESIDE = {
    "truth": "the left hand as it was played",
    "shipped": "the shipped model, as the device plays it",
    "tonic": "the tonic triad held for ever",
    "rolled": "the true hand 8.5 bars late",
}
"""Left hands that the seeds are compared with. They are the first rows of the table."""
ROWS = (*BESIDE, *SEEDS, *CHORALES)
SHOWN = {
    "pcs": "PCS",
    "pcs_other": "PCS w/o unisons",
    "clash": "clash",
    "coupling": "coupling",
    "agreement": "agreement",
    "ur": "UR",
    "changes": "changes",
    "stuck": "stuck",
    "density": "density",
}
MOST_SONGS = 20
PANEL, EXAMPLE = "panel.json", "example.mid"
EXAMPLE_QUARTERS = 96
"""Length of a listening example in quarter notes."""
TICKS = 480
"""MIDI ticks per quarter note in an example."""


@dataclass(frozen=True)
class HeldOut:
    """Holds a song on which no net was fitted, and the piece from which the song was made."""

    piece: Piece
    song: Song

    @property
    def right(self) -> Roll:
        """Return the song's right hand as a roll on sixteenth steps. The measured net hears and accompanies it."""
        return roll_of_keys(self.song.right_sounding, self.song.right_struck)

    @property
    def true(self) -> Roll:
        """Return the left hand that the pianist played in this song, as a roll on sixteenth steps."""
        return roll_of_keys(self.song.left_sounding, self.song.left_struck)


@lru_cache(maxsize=2)
def held_out(cache: Path, most: int = MOST_SONGS) -> list[HeldOut]:
    """Return up to `most` evenly spaced songs of the validation split. Every configuration gets the same songs.

    Raises UserError if the pieces have not been prepared.
    """
    pieces = [p for p in load_pieces(cache, "pop909", "valid") if p.primary and len(p.of(HandLabel.LEFT))]
    if not pieces:
        raise UserError(f"No pop909 pieces in {cache / 'pieces'}: run `python -m training prepare` first.")
    chosen = np.unique(np.linspace(0, len(pieces) - 1, min(most, len(pieces))).astype(int))
    return [HeldOut(pieces[i], song_of(pieces[i])) for i in chosen]


def beside(name: str, pieces: list[HeldOut]) -> list[Roll]:
    """Return the left hands of `pieces` for one row of `BESIDE`: the true hand, the shipped model or a baseline."""
    if name != "shipped":
        return [BASELINES[name](p.right, p.true, p.song.bar, STEPS_PER_QUARTER) for p in pieces]
    bundle = Bundle.open(default_bundle())
    net, gap = bundle.accompanist(), float(bundle.manifest.accompanist["gap_steps"])
    played = (play_shipped(p.piece, right_hand_of(p.piece), net, gap_steps=gap).notes for p in pieces)
    return [song_rolls(p.piece, notes).left for p, notes in zip(pieces, played, strict=True)]


def judge(pieces: Sequence[HeldOut], hands: Sequence[Roll], folder: Path, about: dict[str, Any]) -> dict[str, float]:
    """Measure the left hands `hands`, one for each song in `pieces`. Returns the mean of each figure over the songs.

    Writes these means, the facts `about` the configuration and a listening example into `folder`.
    """
    rows = [
        panel(p.right, hand, p.true, p.song.positions, p.song.bar, STEPS_PER_QUARTER)
        for p, hand in zip(pieces, hands, strict=True)
    ]
    figures = {key: _mean([row[key] for row in rows]) for key in rows[0]}
    folder.mkdir(parents=True, exist_ok=True)
    named = {"about": about, "songs": [p.song.name for p in pieces], "figures": figures}
    (folder / PANEL).write_text(json.dumps(named, indent=1))
    write_example(folder / EXAMPLE, pieces[0], hands[0])
    return figures


def _mean(values: list[float]) -> float:
    """Return the mean over the songs that have the figure.

    It is NaN if no song has it, for example because nothing was played.
    """
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")


def _shown(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def write_example(path: Path, held: HeldOut, left: Roll) -> None:
    """Write the song's right hand and the played hand `left` to `path`, a MIDI file of two tracks.

    The file begins with the bar of the melody's first note.
    """
    first = int(np.argmax(held.right.sounding.any(axis=1)))
    first -= int(held.song.positions[first])
    part = slice(max(0, first), max(0, first) + EXAMPLE_QUARTERS * STEPS_PER_QUARTER)
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    beat_s = held.piece.beat_s
    tempo = 60.0 / float(np.median(np.diff(beat_s))) if beat_s is not None else 96.0
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo))]))
    for name, hand, velocity in (("Right hand", held.right, 78), ("Left hand", left, 58)):
        file.tracks.append(track(name, Roll(hand.sounding[part], hand.struck[part]), velocity))
    file.save(str(path))


def track(name: str, hand: Roll, velocity: int) -> mido.MidiTrack:
    """Convert a hand on sixteenth steps to a MIDI track with note-on and note-off messages."""
    messages: list[tuple[int, int, mido.Message]] = []
    edge = np.zeros((1, hand.sounding.shape[1]), bool)
    before = np.vstack([edge, hand.sounding, edge])
    again = np.vstack([hand.struck, edge])
    ends = before[:-1] & (~before[1:] | again)
    begins = before[1:] & (again | ~before[:-1])
    step_ticks = TICKS // STEPS_PER_QUARTER
    for step, pitch in zip(*np.nonzero(ends), strict=True):
        messages.append((int(step) * step_ticks, 0, mido.Message("note_off", note=int(pitch))))
    for step, pitch in zip(*np.nonzero(begins), strict=True):
        messages.append((int(step) * step_ticks, 1, mido.Message("note_on", note=int(pitch), velocity=velocity)))
    found, at = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
    for tick, _, message in sorted(messages, key=lambda m: m[:2]):
        found.append(message.copy(time=tick - at))
        at = tick
    return found


def measured(root: Path) -> dict[str, dict[str, Any]]:
    """Read the saved figures of all configurations that have been measured. Returns name -> figures, in table order.

    A configuration with another size (`Seed.changed`) follows the one that it was made from.
    """
    paths: dict[str, Path] = {}
    for name in ROWS:
        changed = sorted(path.name for path in root.glob(f"{name}@*"))
        paths |= {own: root / own / PANEL for own in (name, *changed)}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.is_file()}


def silent(root: Path) -> list[str]:
    """Return the names of the measured rows whose example has no left-hand note, although they should play."""
    found = []
    for name, row in measured(root).items():
        if not row["about"].get("silent"):
            parts = {part.name: part.notes for part in read_midi(root / name / EXAMPLE).parts}
            found += [] if parts.get("Left hand") else [name]
    return found


def table(root: Path) -> str:
    """Return a Markdown table with one line for each measured configuration.

    Raises UserError if no configuration was measured, or if they were measured on different songs.
    """
    found = measured(root)
    if not found:
        raise UserError("No seed has been fitted: run `python -m training seeds --action fit` first.")
    if len({tuple(row["songs"]) for row in found.values()}) > 1:
        raise UserError("The seeds were played over different songs: play all again with --action play.")
    lines = [
        f"| configuration | what it is | weights | CPU s | {' | '.join(SHOWN.values())} |",
        "|" + "---|" * (4 + len(SHOWN)),
    ]
    for name, row in found.items():
        about, figures = row["about"], row["figures"]
        told = f"{about['about']} (silent)" if about.get("silent") else about["about"]
        cells = [f"`{name}`", told, f"{about['parameters']:,}" if "parameters" in about else ""]
        cells += [f"{about['cpu_s']:.0f}" if "cpu_s" in about else "", *(_shown(figures[key]) for key in SHOWN)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
