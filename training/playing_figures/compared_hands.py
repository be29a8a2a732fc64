"""Makes the left hands of the comparison: the true one, cheats, machines, ours in every style, and mixtures.

A cheat is a hand that could not accompany a player, because it knows what comes. A mixture has the figures (patterns of
strikes) of one hand on the chords of another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from device.settings.choices import STYLES, Style
from training.accompanist.data import seconds_of
from training.corpora.pieces import HandLabel, Piece
from training.playing_figures.baselines import chord_rule, held_to_bar_line, machine_oom_pah, rolled, tonic
from training.playing_figures.figures_on_chords import TrueFigure, figures_of, on_chords, retrieved, triads_of
from training.playing_figures.measure import (
    KNOWN_AFTER_STEPS,
    SCORE_TEMPO,
    Performed,
    one_hand,
    right_hand_of,
    song_rolls,
)
from training.playing_figures.panel import STEPS_PER_QUARTER, Roll, roll_of
from training.playing_figures.playable import faults
from training.playing_figures.strikes import lengths_of

TRUE, OTHER, LATE, TONIC, RULE, MACHINE = "true", "other", "late", "tonic", "rule", "machine"
OWN_FIGURES, RETRIEVED, TRUE_CHORDS, HELD, OURS = "own-figures", "retrieved", "true-chords", "held", "ours"
NAMED_STYLES = tuple(style for style in STYLES if style != "auto")
ROWS: dict[str, str] = {
    TRUE: "true hand",
    OTHER: "another piece's true hand",
    LATE: "cheat: the true hand, 8.5 bars late",
    TONIC: "cheat: the held tonic",
    RULE: "causal chord rule",
    MACHINE: "a machine's oom-pah on the rule's chords",
    **{style: f"ours, style {style}" for style in NAMED_STYLES},
    OWN_FIGURES: "its own true figures on our chords",
    RETRIEVED: "other pieces' true figures on our chords",
    TRUE_CHORDS: "our figures on the true chords",
    HELD: "cheat: ours, each key held to the bar line",
    OURS: "ours",
}
"""The rows of the comparison, by the names that `--rows` takes."""

Ints = npt.NDArray[np.int64]
PlayStyle: TypeAlias = Callable[[Piece, Style], Performed]
"""Takes a piece and a style, and returns the left hand that the device plays."""


@dataclass(frozen=True)
class JudgedPiece:
    """A piece on the grid of sixteenths, T steps long.

    `right` and `true` are its right hand and its true left hand. `positions` [T] are steps in the bar, and `bar` is the
    number of steps a bar.
    """

    piece: Piece
    right: Roll
    true: Roll
    positions: Ints
    bar: int

    @property
    def figures(self) -> list[TrueFigure]:
        """Return the musical figures (patterns of strikes) of the true left hand."""
        return figures_of(self.piece.name, self.right, self.true, self.positions, self.bar)


@dataclass(frozen=True)
class ComparedHand:
    """A left hand, and whether one human hand could play the whole of it.

    `ms_a_hop` is the CPU time in ms that the device took, see `Performed`. It is NaN for a hand that the device did not
    play.
    """

    roll: Roll
    playable: bool
    ms_a_hop: float = float("nan")


def judged_piece(piece: Piece) -> JudgedPiece:
    """Return a piece with both hands rounded to the grid of sixteenths."""
    right, _, true, positions, bar = song_rolls(piece, piece.of(HandLabel.LEFT))
    return JudgedPiece(piece, right, true, positions, bar)


def compared_hands(
    judged: JudgedPiece,
    rows: Sequence[str],
    play: PlayStyle,
    ours_style: Style,
    other: Piece,
    library: Sequence[TrueFigure],
) -> dict[str, ComparedHand]:
    """Return the left hands `rows` under this piece's right hand, by their names in `ROWS`.

    `play` makes the device's left hand, and `ours_style` is the style of the row `OURS`. `other` is the piece whose
    hand is the row `OTHER`. `library` holds true figures of all pieces. The row `RETRIEVED` is missing if no other
    piece has bars of the same length.
    """
    piece, right, true, positions, bar = judged.piece, judged.right, judged.true, judged.positions, judged.bar
    steps = len(right.struck)
    found: dict[str, ComparedHand] = {}
    machines: dict[str, Callable[[], Roll]] = {
        TRUE: lambda: true,
        OTHER: lambda: roll_of(other.of(HandLabel.LEFT), steps),
        LATE: lambda: rolled(right, true, bar, STEPS_PER_QUARTER),
        TONIC: lambda: tonic(right, true, bar, STEPS_PER_QUARTER),
        RULE: lambda: chord_rule(right, true, bar, STEPS_PER_QUARTER),
        MACHINE: lambda: machine_oom_pah(right, positions, bar, STEPS_PER_QUARTER),
    }
    for name, make in machines.items():
        if name in rows:
            found[name] = _compared(judged, make())
    for style in NAMED_STYLES:
        if style in rows:
            found[style] = _played(judged, play(piece, style))
    if not {OWN_FIGURES, RETRIEVED, TRUE_CHORDS, HELD, OURS} & set(rows):
        return found
    ours = _played(judged, play(piece, ours_style))
    our_chords = triads_of(ours.roll.sounding, positions, bar)
    true_chords = triads_of(right.sounding | true.sounding, positions, bar)
    mixed: dict[str, Callable[[], Roll | None]] = {
        OWN_FIGURES: lambda: on_chords(true, true_chords, our_chords),
        RETRIEVED: lambda: retrieved(piece.name, right, positions, bar, our_chords, library),
        TRUE_CHORDS: lambda: on_chords(ours.roll, our_chords, true_chords),
        HELD: lambda: held_to_bar_line(ours.roll, positions),
    }
    for name, mix in mixed.items():
        if name in rows and (roll := mix()) is not None:
            found[name] = _compared(judged, roll)
    if OURS in rows:
        found[OURS] = ours
    return found


def _played(judged: JudgedPiece, performed: Performed) -> ComparedHand:
    steps = len(judged.right.struck)
    return ComparedHand(roll_of(performed.notes, steps), one_hand(judged.piece, performed), performed.ms_a_hop)


def _compared(judged: JudgedPiece, roll: Roll) -> ComparedHand:
    """Return a hand on the grid, and whether one human hand could play it at the piece's tempo."""
    notes = lengths_of(roll)
    if not notes:
        return ComparedHand(roll, True)
    step, key, length = np.array(notes, np.float64).T
    on = seconds_of(judged.piece, step / STEPS_PER_QUARTER, SCORE_TEMPO)
    off = seconds_of(judged.piece, (step + length) / STEPS_PER_QUARTER, SCORE_TEMPO)
    right = right_hand_of(judged.piece)
    begin = right["onset"].astype(np.float64)
    theirs = [seconds_of(judged.piece, at, SCORE_TEMPO) for at in (begin, begin + right["duration"])]
    quarter_s = np.diff(seconds_of(judged.piece, np.array([0.0, 1.0]), SCORE_TEMPO))[0]
    rows, above = np.column_stack([on, off, key]), np.column_stack([*theirs, right["pitch"]])
    return ComparedHand(roll, not faults(rows, above, KNOWN_AFTER_STEPS * float(quarter_s) / STEPS_PER_QUARTER))
