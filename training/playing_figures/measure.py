"""Measures the device's left hand on whole songs, and prints its figures beside those of other left hands."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import click
import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.errors import UserError
from device.events import Note, NoteEnded, Send
from device.left_hand.accompanist import Accompanist, Net
from device.left_hand.performer import Performer
from device.left_hand.player import LeftHand
from device.settings.choices import AS_THE_NET_PLAYS, Steering
from training.accompanist.data import HearingErrors, grid_of, heard, seconds_of
from training.corpora.pieces import BARE_NOTE_DTYPE, HandLabel, Notes, Piece, load_pieces
from training.playing_figures.baselines import BASELINES
from training.playing_figures.listener import distance, means_of
from training.playing_figures.panel import (
    CONSONANCE,
    STEPS_PER_QUARTER,
    Roll,
    grid_length,
    jensen_shannon,
    panel,
    roll_of,
)
from training.playing_figures.playable import faults, rows_of
from training.playing_figures.strikes import strikes
from training.playing_figures.style_share import style_share

SHIFT = 6
"""Semitones by which the right hand jumps up to measure the recovery. No two musical keys are farther apart than 6."""
COLUMNS = 10
"""Figures in a line of the printed table."""
HOP_S = 0.016
"""Seconds of a hop: 256 samples at 16 kHz."""
SCORE_TEMPO = 96.0
"""Quarters a minute at which scores are played."""
KNOWN_AFTER_STEPS = 2.0
"""A plan knows the right-hand keys struck at least this many sixteenths before its strike: the gap, and one step."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Performed:
    """A left hand as the device sends it.

    `sends` are its MIDI messages. `times` [T] are the times of the grid's steps in seconds, and `quarters` [T] are the
    same steps in quarters. `spent_s` is the CPU time, in seconds, that the accompanist and the hand took for all steps
    and notes.
    """

    sends: list[Send]
    times: Array
    quarters: Array
    spent_s: float = float("nan")

    @property
    def ms_a_hop(self) -> float:
        """Return the CPU time of accompanist and hand in milliseconds for each hop (16 ms) of the piece.

        NaN if the piece has no length or the CPU time is not known.
        """
        hops = (self.times[-1] - self.times[0]) / HOP_S if len(self.times) > 1 else 0.0
        return 1000.0 * self.spent_s / hops if hops else float("nan")

    @property
    def notes(self) -> Notes:
        """Return the notes of the left hand, with times in quarters."""
        return notes_of(self.sends, self.times, self.quarters)


Listen: TypeAlias = Callable[[Piece, Notes, float], Sequence[Note | NoteEnded]]
"""Takes a piece, its right hand and a tempo in quarters a minute; returns the notes that the device knows.

The tempo counts only for a score.
"""


def from_keys(manner: HearingErrors, seed: int = 0) -> Listen:
    """Return a function that lets the device get the right hand by MIDI, as if it had been heard with errors.

    The errors are of the kinds `manner`, and `seed` draws them. With `HearingErrors()` there are none.
    """
    return lambda piece, right, tempo: heard(piece, right, tempo, manner, np.random.default_rng(seed))


BY_MIDI = from_keys(HearingErrors())


def play(
    piece: Piece,
    right: Notes,
    net: Net,
    listen: Listen = BY_MIDI,
    gap_steps: float = 1.0,
    steering: Steering = AS_THE_NET_PLAYS,
) -> Performed:
    """Return the left hand that the device plays to a right hand, on the piece's own grid.

    `listen` decides how the device gets the right hand: by MIDI or by ear.
    """
    return answer(piece, listen(piece, right, SCORE_TEMPO), net, gap_steps, steering)


def answer(
    piece: Piece,
    events: Sequence[Note | NoteEnded],
    net: Net,
    gap_steps: float = 1.0,
    steering: Steering = AS_THE_NET_PLAYS,
) -> Performed:
    """Return the left hand that the device plays to the right-hand notes `events`, on the piece's own grid.

    `events` must be in the order of `decided_s`, the time at which the device knows each of them.
    """
    steps, quarters = grid_of(piece, SCORE_TEMPO)
    hand, performer = LeftHand(Accompanist(net, gap_steps), steering), Performer()
    hand.reset()
    sends: list[Send] = []
    waiting = iter([*events, None])
    event = next(waiting)
    begin_s = time.process_time()
    for step in steps:
        now_s = step.plan_s
        while event is not None and event.decided_s <= now_s:
            hand.hear(event) if isinstance(event, Note) else hand.end(event)
            event = next(waiting)
        move = hand.play(step)
        sends += performer.release(now_s, step.time_s, move.let_go)
        sends += performer.strike(now_s, move.strikes)
    sends += performer.finish(steps[-1].time_s)
    spent_s = time.process_time() - begin_s
    return Performed(sends, np.array([step.time_s for step in steps]), quarters, spent_s)


def notes_of(sends: Sequence[Send], times: Array, quarters: Array) -> Notes:
    """Return the notes that the messages `sends` play, with onsets and durations in quarters.

    `times` [T] are the grid's steps in seconds, and `quarters` [T] are the same steps in quarters. A note
    without a note-off is left out.
    """
    on: dict[int, Send] = {}
    rows: list[tuple[float, float, int]] = []
    for send in sorted(sends, key=lambda s: (s.due_s, s.kind != "note_off")):
        if send.kind == "note_on":
            on[send.pitch] = send
        elif send.pitch in on:
            rows.append((on.pop(send.pitch).due_s, send.due_s, send.pitch))
    notes = np.zeros(len(rows), BARE_NOTE_DTYPE)
    if rows:
        start, end, notes["pitch"] = (np.array(column) for column in zip(*rows, strict=True))
        notes["onset"] = np.interp(start, times, quarters)
        notes["duration"] = np.interp(end, times, quarters) - notes["onset"]
    return notes


def right_hand_of(piece: Piece) -> Notes:
    """Return the notes of the right hand, sorted. A key that two voices strike together is struck once.

    The note then has the longer duration of the two.
    """
    notes = piece.of(HandLabel.RIGHT)
    order = np.lexsort((-notes["duration"], notes["pitch"], notes["onset"]))
    notes = notes[order]
    again = (np.diff(notes["onset"]) == 0) & (np.diff(notes["pitch"].astype(int)) == 0)
    return np.asarray(notes[np.concatenate([[True], ~again])] if len(notes) else notes)


class SongRolls(NamedTuple):
    """The rolls of three hands to one piece: the right hand, a left hand, and the true left hand.

    `positions` [T] is the position of each step since its bar line. `bar` is the number of steps of a bar in the
    piece's first metre.
    """

    right: Roll
    left: Roll
    true: Roll
    positions: Array
    bar: int


def song_rolls(piece: Piece, left: Notes) -> SongRolls:
    """Return the rolls of the right hand, of `left` and of the true left hand, on the grid of `piece`."""
    right, true = right_hand_of(piece), piece.of(HandLabel.LEFT)
    steps = grid_length(right, true)
    beats, kind = piece.meters[0][1:] if piece.meters else (4, 4)
    bar = max(STEPS_PER_QUARTER * 4 * beats // kind, 1)
    positions = positions_of(piece, steps, bar)
    return SongRolls(roll_of(right, steps), roll_of(left, steps), roll_of(true, steps), positions, bar)


def positions_of(piece: Piece, steps: int, bar: int) -> Array:
    """Return the position of each of `steps` steps since the bar line before it, int [steps].

    Before the first bar line and after the last one a bar has `bar` steps. A bar of another length between them keeps
    its own length, so that a single bar in another metre moves no later bar line.
    """
    lines = np.unique(np.rint(np.asarray(piece.downbeats, np.float64) * STEPS_PER_QUARTER).astype(int))
    if not len(lines):
        return np.arange(steps) % bar
    at = np.arange(steps)
    before = np.searchsorted(lines, at, side="right") - 1
    since = at - lines[np.maximum(before, 0)]
    return np.where((before < 0) | (before == len(lines) - 1), since % bar, since)


def recovery_beats(piece: Piece, net: Net, most: int = 32, steering: Steering = AS_THE_NET_PLAYS) -> float:
    """Return the beats until the left hand fits again, after the right hand has jumped up by 6 semitones in mid-song.

    The left hand fits again when its PCS (see `panel.consonance`) over 4 beats is at least four fifths of its PCS on
    the same beats without the jump. Returns `most` if this does not happen within `most` beats.
    """
    right = right_hand_of(piece)
    middle = float(np.median(right["onset"]))
    moved = right.copy()
    moved["pitch"] = np.where(right["onset"] >= middle, right["pitch"] + SHIFT, right["pitch"])
    curves = []
    for notes in (right, moved):
        left = play(piece, notes, net, steering=steering).notes
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


def one_hand(piece: Piece, played: Performed) -> bool:
    """Return whether one human hand could play the whole left hand, below the piece's right hand."""
    right = right_hand_of(piece)
    on = seconds_of(piece, right["onset"].astype(np.float64), SCORE_TEMPO)
    off = seconds_of(piece, right["onset"].astype(np.float64) + right["duration"], SCORE_TEMPO)
    known_after_s = KNOWN_AFTER_STEPS * float(np.median(np.diff(played.times)))
    return not faults(rows_of(played.sends), np.column_stack([on, off, right["pitch"]]), known_after_s)


def evaluate_playing(
    net: Net,
    cache: Path,
    corpus: str = "pop909",
    split: str = "test",
    songs: int | None = None,
    gap_steps: float = 1.0,
    listen: Listen = BY_MIDI,
    steering: Steering = AS_THE_NET_PLAYS,
    *,
    recovery: bool = True,
) -> dict[str, dict[str, float]]:
    """Print and return the mean figures of our left hand, the true one and the baselines over the songs of a corpus.

    The result maps a hand to figures by name. `recovery` also measures how fast the left hand follows a jump of six
    semitones, which takes longer than all the rest. Raises UserError if `cache` holds no pieces of the corpus.
    """
    pieces = [piece for piece in load_pieces(cache, corpus, split) if piece.primary and len(piece.of(HandLabel.LEFT))][
        :songs
    ]
    if not pieces:
        raise UserError(f"No pieces of {corpus} in {cache / 'pieces'}: run `python -m training prepare` first.")
    measured = _MeasuredSongs(steering)
    # the left hand of the piece before serves as another piece's left hand
    for piece, other in zip(pieces, [pieces[-1], *pieces[:-1]], strict=True):
        measured.add(piece, play(piece, right_hand_of(piece), net, listen, gap_steps, steering), other)
    table = measured.table()
    if recovery:
        beats = [recovery_beats(piece, net, steering=steering) for piece in pieces[:20]]
        table["ours"]["recovery"] = float(np.median(beats))
    show(table, len(pieces))
    return table


class _MeasuredSongs:
    """Collects the figures of our left hand, the true one, the baselines and another piece's, song by song."""

    NAMES = ("ours", *BASELINES, "another's")

    def __init__(self, steering: Steering) -> None:
        self._steering = steering
        self._figures: dict[str, list[dict[str, float]]] = {name: [] for name in self.NAMES}
        self._heard_as: dict[str, list[dict[str, float] | None]] = {name: [] for name in self.NAMES}
        self._placed: dict[str, dict[int, Array]] = {name: {} for name in ("ours", "truth")}
        """For each hand: steps of a bar -> number of strikes at each position [steps]."""
        self._playable: list[bool] = []
        self._own_figure: list[float] = []

    def add(self, piece: Piece, played: Performed, other: Piece) -> None:
        """Add a piece to which we have played. `other` is the piece whose left hand is another's."""
        self._playable.append(one_hand(piece, played))
        right, ours, true, positions, bar = song_rolls(piece, played.notes)
        hands = {"ours": ours, **{name: base(right, true, bar, STEPS_PER_QUARTER) for name, base in BASELINES.items()}}
        hands["another's"] = roll_of(other.of(HandLabel.LEFT), len(true.sounding))
        for name, hand in hands.items():
            self._figures[name].append(
                panel(right, hand, true, positions, bar, STEPS_PER_QUARTER) | strikes(right, hand, true, positions, bar)
            )
            self._heard_as[name].append(means_of(right, hand, true, positions, bar))
        if piece.meters and Meter(*piece.meters[0][1:]).listed:
            self._own_figure.append(style_share(self._steering.style, ours, positions, bar))
        for name, placed in self._placed.items():
            struck = hands[name].struck.any(axis=1)
            counts = np.bincount(positions[struck], minlength=bar).astype(np.float64)[:bar]
            placed[bar] = placed.get(bar, np.zeros(bar)) + counts

    def table(self) -> dict[str, dict[str, float]]:
        """Return the means over the songs: hand -> figures by name."""
        table = {
            name: {key: _mean([row[key] for row in rows]) for key in rows[0]} for name, rows in self._figures.items()
        }
        for name in self.NAMES:
            table[name]["distance"] = distance(self._heard_as[name], self._heard_as["truth"])
        common = max(self._placed["truth"], key=lambda bar: float(self._placed["truth"][bar].sum()))
        ours, truth = (counts[common] / max(counts[common].sum(), 1.0) for counts in self._placed.values())
        table["ours"] |= {"pooled_jsd": jensen_shannon(ours, truth), "one_hand": float(np.mean(self._playable))}
        if self._steering.style != "auto":
            table["ours"]["own_figure"] = float(np.nanmean(self._own_figure)) if self._own_figure else math.nan
        return table


def show(table: dict[str, dict[str, float]], songs: int) -> None:
    """Print a table with a line for each hand and a column for each figure."""
    columns = list(table["ours"])
    click.echo(f"{songs} songs")
    for first in range(0, len(columns), COLUMNS):
        part = columns[first : first + COLUMNS]
        click.echo(f"{'':11s}" + "".join(f"{name:>11s}" for name in part))
        for name, row in table.items():
            cells = "".join(f"{row[key]:11.3f}" if key in row else f"{'':>11s}" for key in part)
            click.echo(f"{name:11s}{cells}")


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the numbers among `values`; NaN if there is none."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")
