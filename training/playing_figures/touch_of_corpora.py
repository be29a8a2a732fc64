"""Measures how hard the left hands of real songs strike, by the place in the bar and the place in the chord.

The device's constants in `device.left_hand.touch` are such means of a corpus.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import click
import numpy as np

from device.errors import UserError
from training.corpora.pieces import HandLabel, Piece
from training.playing_figures.panel import STEPS_PER_QUARTER

LEAST_SPREAD = 2.0
"""Least standard deviation of the MIDI velocities of a left hand that is used.

One with a smaller deviation was not recorded from a keyboard.
"""


def touch_of(pieces: Sequence[Piece]) -> dict[str, float]:
    """Return mean ratios of MIDI velocities in the left hands of `pieces`, by name.

    - `under`: the mean velocity of the left hand over that of the right hand
    - `bar`, `half`, `beat`, `off`: a strike on the bar line, on the half of the bar, on another quarter, or between
      the quarters, over the mean of the piece's left hand
    - `lowest`, `highest`, `inner`: a key of a strike of two or more keys, over the mean of the strike
    - `spread`: standard deviation of a key within a strike around these three means

    Raises UserError if no piece has velocities.
    """
    shares: dict[str, list[float]] = defaultdict(list)
    for piece in pieces:
        left, right = piece.of(HandLabel.LEFT), piece.of(HandLabel.RIGHT)
        if not len(left) or not len(right) or left["velocity"].std() < LEAST_SPREAD or not right["velocity"].any():
            continue
        mean = float(left["velocity"].mean())
        shares["under"].append(mean / float(right["velocity"].mean()))
        at = np.rint(left["onset"].astype(float) * STEPS_PER_QUARTER).astype(int)
        lines = np.unique(np.rint(np.asarray(piece.downbeats, float) * STEPS_PER_QUARTER).astype(int))
        for step in np.unique(at):
            struck = left[at == step]
            velocity = struck["velocity"][np.argsort(struck["pitch"])].astype(float)
            line = int(np.searchsorted(lines, step, side="right")) - 1
            if 0 <= line < len(lines) - 1:
                name = _place(int(step - lines[line]), int(lines[line + 1] - lines[line]))
                shares[name].append(float(velocity.mean()) / mean)
            if len(velocity) > 1:
                share = velocity / velocity.mean()
                shares["lowest"].append(share[0])
                shares["highest"].append(share[-1])
                shares["inner"] += list(share[1:-1])
    if not shares:
        raise UserError("No piece of this corpus has velocities: choose pop909.")
    roles = ("lowest", "highest", "inner")
    around = np.concatenate([np.array(shares[role]) - np.mean(shares[role]) for role in roles if shares[role]])
    return {name: float(np.mean(shares[name])) for name in ("under", "bar", "half", "beat", "off", *roles)} | {
        "spread": float(around.std())
    }


def _place(position: int, bar: int) -> str:
    """Return the kind of the step `position` in a bar of `bar` sixteenths: "bar", "half", "beat" or "off"."""
    if position == 0:
        return "bar"
    if position % STEPS_PER_QUARTER:
        return "off"
    return "half" if 2 * position == bar else "beat"


def show(touch: dict[str, float]) -> None:
    """Print each ratio on a line of its own."""
    for name, value in touch.items():
        click.echo(f"{name:8} {value:.3f}")
