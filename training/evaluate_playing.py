"""The accompanist measured on whole songs: the left hand that the device would strike, note by note."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from device.accompanist import Accompanist, Net
from device.errors import UserError
from device.lefthand import LeftHand
from device.performer import Performer
from device.types import Note, Send
from training.baselines import BASELINES
from training.panel import CONSONANCE, NOTE, STEPS_PER_QUARTER, Notes, Roll, grid_length, panel, roll_of
from training.pieces import Hand, Piece, load_pieces
from training.playing_data import Manner, grid_of, heard

SHIFT = 6

Array = npt.NDArray[Any]


def play(piece: Piece, right: Notes, net: Net, manner: Manner, gap_steps: float = 1.0, seed: int = 0) -> Notes:
    """The left hand that the device plays to a right hand on the piece's own grid, in quarters."""
    steps, quarters = grid_of(piece)
    hand, performer = LeftHand(Accompanist(net, gap_steps)), Performer()
    hand.reset()
    events = heard(piece, right, 96.0, manner, np.random.default_rng(seed))
    sends: list[Send] = []
    waiting = iter([*events, None])
    event = next(waiting)
    for step in steps:
        now_s = step.plan_s
        while event is not None and event.decided_s <= now_s:
            hand.hear(event) if isinstance(event, Note) else hand.end(event)
            event = next(waiting)
        _, strikes, let_go = hand.play(step)
        sends += performer.release(now_s, step.time_s, let_go)
        sends += performer.strike(now_s, strikes)
    sends += performer.finish(steps[-1].time_s)
    times = np.array([step.time_s for step in steps])
    return notes_of(sends, times, quarters)


def notes_of(sends: Sequence[Send], times: Array, quarters: Array) -> Notes:
    """Messages to notes in quarters, by a grid's times and quarters."""
    on: dict[int, Send] = {}
    rows: list[tuple[float, float, int]] = []
    for send in sorted(sends, key=lambda s: (s.due_s, s.kind != "note_off")):
        if send.kind == "note_on":
            on[send.pitch] = send
        elif send.pitch in on:
            rows.append((on.pop(send.pitch).due_s, send.due_s, send.pitch))
    notes = np.zeros(len(rows), NOTE)
    if rows:
        start, end, notes["pitch"] = (np.array(column) for column in zip(*rows, strict=True))
        notes["onset"] = np.interp(start, times, quarters)
        notes["duration"] = np.interp(end, times, quarters) - notes["onset"]
    return notes


def song_rolls(piece: Piece, left: Notes) -> tuple[Roll, Roll, Roll, Array, int]:
    """Right hand, `left` and the true left hand on sixteenths, positions in the bar, and steps in a bar."""
    right, true = piece.of(Hand.RIGHT), piece.of(Hand.LEFT)
    steps = grid_length(right, true)
    bar = STEPS_PER_QUARTER * (piece.meters[0][1] if piece.meters else 4)
    positions = (np.arange(steps) - round(float(piece.downbeats[0]) * STEPS_PER_QUARTER)) % bar
    return roll_of(right, steps), roll_of(left, steps), roll_of(true, steps), positions, bar


def recovery_beats(piece: Piece, net: Net, most: int = 32) -> float:
    """Beats after the right hand jumps up by 6 semitones in mid-song until the left hand's PCS, over 4 beats, is back.

    Back is four fifths of what the unshifted playing has on the same beats; `most` where it never is.
    """
    right = piece.of(Hand.RIGHT)
    middle = float(np.median(right["onset"]))
    moved = right.copy()
    moved["pitch"] = np.where(right["onset"] >= middle, right["pitch"] + SHIFT, right["pitch"])
    curves = []
    for notes in (right, moved):
        left = play(piece, notes, net, Manner())
        steps = grid_length(notes, left, piece.notes)
        top, classes = roll_of(notes, steps).top, roll_of(left, steps).pitch_classes
        curves.append(_consonance_by_beat(top, classes, round(middle * STEPS_PER_QUARTER), most))
    usual, after = curves
    back = np.flatnonzero(after >= 0.8 * np.maximum(usual, 0.1))
    return float(back[0]) if len(back) else float(most)


def _consonance_by_beat(top: Array, classes: Array, first: int, beats: int) -> Array:
    interval = (top[:, None] - np.arange(12)) % 12
    number = classes.sum(axis=1)
    score = (CONSONANCE[interval] * classes).sum(axis=1) / np.maximum(number, 1)
    counts = (top >= 0) & (number > 0)
    windows = [slice(first + 4 * beat, first + 4 * beat + 16) for beat in range(beats)]
    return np.array([score[w][counts[w]].mean() if counts[w].any() else 0.0 for w in windows])


def evaluate_playing(
    net: Net, cache: Path, split: str = "test", songs: int | None = None, gap_steps: float = 1.0, latency_s: float = 0.0
) -> dict[str, dict[str, float]]:
    """Print and return the panel on POP909 songs: ours beside the truth and the baselines, means over songs."""
    pieces = load_pieces(cache, "pop909", split)[:songs]
    if not pieces:
        raise UserError(f"No POP909 songs in {cache / 'pieces'}: run `python -m training prepare` first.")
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in ("ours", *BASELINES)}
    for piece in pieces:
        left = play(piece, piece.of(Hand.RIGHT), net, Manner(latency_s=latency_s), gap_steps)
        right, ours, true, positions, bar = song_rolls(piece, left)
        figures["ours"].append(panel(right, ours, true, positions, bar, STEPS_PER_QUARTER))
        for name, baseline in BASELINES.items():
            hand = baseline(right, true, bar, STEPS_PER_QUARTER)
            figures[name].append(panel(right, hand, true, positions, bar, STEPS_PER_QUARTER))
    table = {
        name: {key: float(np.nanmean([row[key] for row in rows])) for key in rows[0]} for name, rows in figures.items()
    }
    table["ours"]["recovery"] = float(np.mean([recovery_beats(piece, net) for piece in pieces[:20]]))
    show(table, len(pieces))
    return table


def show(table: dict[str, dict[str, float]], songs: int) -> None:
    """A line a hand, a column a figure."""
    columns = list(table["ours"])
    click.echo(f"{songs} songs")
    click.echo(f"{'':11s}" + "".join(f"{name:>11s}" for name in columns))
    for name, row in table.items():
        cells = "".join(f"{row[key]:11.3f}" if key in row else f"{'':>11s}" for key in columns)
        click.echo(f"{name:11s}{cells}")
