"""Compares our left hand with the true one, with cheats and with machines, in one run on the same pieces.

`python -m training evaluate playing` prints the tables of docs/figures/playing.md in Markdown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import click
import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.errors import UserError
from device.settings.choices import Style
from training.corpora.pieces import HandLabel, Piece, load_pieces
from training.playing_figures.compared_hands import (
    MACHINE,
    NAMED_STYLES,
    OURS,
    ROWS,
    TONIC,
    TRUE,
    ComparedHand,
    JudgedPiece,
    PlayStyle,
    compared_hands,
    judged_piece,
)
from training.playing_figures.listener import distance, mean_row, rows_of_windows
from training.playing_figures.panel import STEPS_PER_QUARTER, panel, roll_of
from training.playing_figures.phrases import Again, phrases_again
from training.playing_figures.roll_net import net_accuracy, picture
from training.playing_figures.strikes import strikes
from training.playing_figures.style_share import led_by_chance, led_share, style_share
from training.playing_figures.told_apart import accuracy

LOTS = 5
"""How many times the pieces are divided into halves at random, for the true hand against itself.

The table shows the mean over these divisions.
"""
NET_ROWS = (TRUE, MACHINE, OURS)
"""Rows that the net over the piano rolls judges too. It is trained for each of them, which takes minutes."""

COLUMNS: dict[str, tuple[tuple[str, str], ...]] = {
    "What it strikes, and how far it is from a pianist": (
        ("distance", "distance"),
        ("accuracy", "told apart"),
        ("net", "told apart by the net"),
        ("struck", "struck"),
        ("struck_share", "struck / true"),
        ("held", "held"),
        ("held_share", "held / true"),
        ("gone", "gone"),
        ("one_hand", "one hand"),
        ("own_figure", "own figure"),
    ),
    "Its chords": (
        ("triad", "chord"),
        ("triad1", "first beat"),
        ("again", "again"),
        ("over_tonic", "agreement over tonic"),
        ("in_chord", "note in chord"),
        ("vendi", "Vendi"),
        ("clash", "clash"),
        ("ur", "UR"),
        ("changes", "changes"),
        ("stuck", "stuck"),
        ("pcs", "PCS, sounding"),
        ("ms_a_hop", "ms a hop"),
    ),
}
"""Titles of the two tables, and for each column the name of its figure and its heading."""
SHARES = ("accuracy", "net")
"""Figures that are printed in per cent."""

LED = "swing, bar lines reached by step"
"""Name of the share of bar lines to which the walking bass moves by one or two semitones."""
LED_BY_CHANCE = "the same, its bars in random order"
"""Name of that share by chance."""

Windows = dict[int, dict[str, float]]
Pictures = dict[int, npt.NDArray[np.float32]]


@dataclass
class RowOfPieces:
    """Collects the measurements of one left hand, piece by piece, for a row of the table.

    Each list has one value a piece. `figures` are means over the piece. `windows` are the listener's features of each
    window (four bars) of this hand, and `true_windows` those of the true hand. `pictures` and `true_pictures` are the
    same windows as piano rolls; they are empty unless the net is used. `again` counts the right chords in phrases that
    come again.
    """

    figures: list[dict[str, float]] = field(default_factory=list)
    windows: list[Windows] = field(default_factory=list)
    true_windows: list[Windows] = field(default_factory=list)
    pictures: list[Pictures] = field(default_factory=list)
    true_pictures: list[Pictures] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)

    def add(self, name: str, judged: JudgedPiece, hand: ComparedHand, style: Style, net: bool) -> None:
        """Measure one piece's left hand, which belongs to the row `name`, and add the results to the lists.

        `style` is the style of the row `ours`. `net` also keeps pictures for the net.
        """
        right, true, positions, bar = judged.right, judged.true, judged.positions, judged.bar
        figures = panel(right, hand.roll, true, positions, bar, STEPS_PER_QUARTER)
        figures |= strikes(right, hand.roll, true, positions, bar)
        figures["one_hand"] = float(hand.playable)
        figures["ms_a_hop"] = hand.ms_a_hop
        own = style if name == OURS else name
        meter = judged.piece.meters[0][1:] if judged.piece.meters else (4, 4)
        if own in NAMED_STYLES and Meter(*meter).listed:
            figures["own_figure"] = style_share(own, hand.roll, positions, bar)
        self.figures.append(figures)
        self.windows.append(rows_of_windows(right, hand.roll, true, positions, bar))
        self.true_windows.append(rows_of_windows(right, true, true, positions, bar))
        self.again.append(phrases_again(right, hand.roll, true, positions, bar))
        if net:
            for pictures, roll in ((self.pictures, hand.roll), (self.true_pictures, true)):
                pictures.append({begin: picture(right, roll, begin, bar) for begin in self.windows[-1]})

    def means(self) -> dict[str, float]:
        """Return the mean of each figure over the pieces, by name. `again` is counted over all pieces together.

        It says how many more chords are right when a phrase comes again, per beat.
        """
        names = {name for row in self.figures for name in row}
        found = {name: _mean([row[name] for row in self.figures if name in row]) for name in sorted(names)}
        beats = sum(again.beats for again in self.again)
        more = sum(again.second - again.first for again in self.again)
        return found | {"again": more / beats if beats else float("nan"), "again_beats": float(beats)}

    def told_apart(self, is_true: bool, seed: int) -> dict[str, float]:
        """Return how well listeners tell this hand from the true one: `distance`, `accuracy`, and `net`.

        `distance` is the mean distance of the features, in standard deviations; 0 if the hands are alike. `accuracy` is
        the share of windows that the listener with features judges right. `net` is that of the net; NaN without
        pictures. If `is_true`, the true hand is compared with itself: one half of each piece with the other half, drawn
        by `seed`.
        """
        draws = [
            self._sides(np.random.default_rng([seed, lot]) if is_true else None)
            for lot in range(LOTS if is_true else 1)
        ]
        found: dict[str, list[float]] = {"distance": [], "accuracy": [], "net": []}
        for sides in draws:
            windows = _labelled(sides)
            found["distance"].append(distance(*([mean_row(list(half.values())) for half in side] for side in sides)))
            if len(windows.label):
                found["accuracy"].append(accuracy(windows.features, windows.label, windows.piece, seed))
        if self.pictures:
            windows = _labelled(draws[0])
            pictures = [
                (self.pictures if label == 0 else self.true_pictures)[piece][begin]
                for label, piece, begin in zip(windows.label, windows.piece, windows.begin, strict=True)
            ]
            found["net"].append(
                net_accuracy(np.stack(pictures), windows.label, windows.piece, seed) if pictures else math.nan
            )
        return {name: _mean(values) for name, values in found.items()}

    def _sides(self, lot: np.random.Generator | None) -> tuple[list[Windows], list[Windows]]:
        """Return the windows of this hand and those of the true hand, piece by piece.

        With `lot`, return the windows of the two halves of this hand and of the true one instead, drawn from `lot`.
        """
        ours: list[Windows] = []
        true: list[Windows] = []
        for own, theirs in zip(self.windows, self.true_windows, strict=True):
            begins = sorted(set(own) & set(theirs))
            if lot is None:
                sides = [begins, begins]
            else:
                sides = [begins[: len(begins) // 2], begins[len(begins) // 2 :]]
                sides = sides if lot.random() < 0.5 else sides[::-1]
            ours.append({begin: own[begin] for begin in sides[0]})
            true.append({begin: theirs[begin] for begin in sides[1]})
        return ours, true


class _Labelled(NamedTuple):
    """Holds n windows for a listener: features [n, features], labels [n], and numbers of pieces and first steps [n].

    A label is 0 for the first side and 1 for the second.
    """

    features: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64]
    piece: npt.NDArray[np.int64]
    begin: npt.NDArray[np.int64]


def _labelled(sides: tuple[list[Windows], list[Windows]]) -> _Labelled:
    """Return all windows of both sides, each of which has the windows of the pieces."""
    rows = [
        (list(features.values()), label, piece, begin)
        for label, side in enumerate(sides)
        for piece, own in enumerate(side)
        for begin, features in own.items()
    ]
    features = np.array([row[0] for row in rows], np.float64)
    label, piece, begin = np.array([row[1:] for row in rows], np.int64).reshape(-1, 3).T
    return _Labelled(features, label, piece, begin)


def pieces_of(cache: Path, corpus: str, split: str, songs: int | None) -> list[Piece]:
    """Return pieces with a left hand, spread evenly over the corpus if `songs` is fewer than there are.

    Raises UserError if `cache` holds no pieces of the corpus.
    """
    found = [p for p in load_pieces(cache, corpus, split) if p.primary and len(p.of(HandLabel.LEFT))]
    if not found:
        raise UserError(f"No pieces of {corpus} in {cache / 'pieces'}: run `python -m training prepare` first.")
    if songs is None or songs >= len(found):
        return found
    return [found[i] for i in np.unique(np.linspace(0, len(found) - 1, songs).astype(int))]


def compare(
    pieces: Sequence[Piece], rows: Sequence[str], play: PlayStyle, style: Style, net: bool = False, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Return the figures of each of `rows` (names in `ROWS`) on the same pieces: row, then figure, then value.

    `style` is that of the row `ours`. `net` trains the net over the piano rolls too. `seed` draws the halves, the parts
    of the cross-validation and the net's first weights.
    """
    judged = [judged_piece(piece) for piece in pieces]
    library = [figure for each in judged for figure in each.figures]
    wanted = [name for name in ROWS if name in rows or name in (TRUE, TONIC)]
    table = {name: RowOfPieces() for name in wanted}
    for each, other in zip(judged, [pieces[-1], *pieces[:-1]], strict=True):
        for name, hand in compared_hands(each, wanted, play, style, other, library).items():
            table[name].add(name, each, hand, style, net and name in NET_ROWS)
    found = {name: row.means() | row.told_apart(name == TRUE, seed) for name, row in table.items() if row.figures}
    for row in found.values():
        for name in ("struck", "held"):
            row[f"{name}_share"] = row[name] / found[TRUE][name]
        row["over_tonic"] = row["agreement"] - found[TONIC]["agreement"]
    return {name: found[name] for name in found if name in rows}


def markdown(table: dict[str, dict[str, float]]) -> str:
    """Return the comparison as two Markdown tables. A dash stands for a figure without a value."""
    parts = []
    for title, columns in COLUMNS.items():
        shown = [
            (name, head) for name, head in columns if any(not np.isnan(row.get(name, np.nan)) for row in table.values())
        ]
        lines = [f"| {title} | " + " | ".join(head for _, head in shown) + " |", "|---" * (len(shown) + 1) + "|"]
        for key, row in table.items():
            cells = [_cell(name, row.get(name, float("nan"))) for name, _ in shown]
            lines.append(f"| {ROWS[key]} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _cell(name: str, value: float) -> str:
    if np.isnan(value):
        return "-"
    if name in SHARES:
        return f"{100 * value:.0f} %"
    # adding 0 turns a rounded -0.0 into 0.0
    return f"{round(value, 1):.1f}" if name == "vendi" else f"{round(value, 3) + 0.0:.3f}"


def shares_of_styles(pieces: Sequence[Piece], play: PlayStyle) -> dict[str, float]:
    """Return for each named style the mean over `pieces` of the share of bars with its own figure, see `style_share`.

    Under `LED` it returns the share of bar lines to which the walking bass moves by step, see `led_share`, and under
    `LED_BY_CHANCE` what that would be by chance. Pieces whose metre the device does not offer are left out.
    """
    listed = [piece for piece in pieces if Meter(*(piece.meters[0][1:] if piece.meters else (4, 4))).listed]
    judged = [judged_piece(piece) for piece in listed]
    found: dict[str, float] = {}
    for style in NAMED_STYLES:
        rolls = [roll_of(play(each.piece, style).notes, len(each.right.struck)) for each in judged]
        found[style] = _mean(
            [style_share(style, roll, each.positions, each.bar) for roll, each in zip(rolls, judged, strict=True)]
        )
        if style == "swing":
            for name, led in ((LED, led_share), (LED_BY_CHANCE, led_by_chance)):
                found[name] = _mean([led(roll, each.positions) for roll, each in zip(rolls, judged, strict=True)])
    return found


def show_styles(corpus: str, pieces: Sequence[Piece], shares: dict[str, float]) -> None:
    """Print the share of bars with each style's own figure on a line of its own, and the shares of steps (`LED`)."""
    click.echo(f"\n{corpus}, {len(pieces)} pieces: share of bars with the style's own figure\n")
    for style, share in shares.items():
        click.echo(f"{style:10} {_cell('own_figure', share)}")


def show(corpus: str, pieces: Sequence[Piece], table: dict[str, dict[str, float]]) -> None:
    """Print the comparison on one corpus, and the number of beats behind the column `again`."""
    click.echo(f"\n{corpus}, {len(pieces)} pieces\n\n{markdown(table)}")
    beats = {int(row["again_beats"]) for row in table.values()}
    click.echo(f"\nBeats in phrases that come again: {min(beats)} to {max(beats)}.")


def _mean(values: Sequence[float]) -> float:
    """Return the mean of the numbers among `values`; NaN if there is none."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")


__all__ = ["compare", "markdown", "pieces_of", "shares_of_styles", "show", "show_styles"]
