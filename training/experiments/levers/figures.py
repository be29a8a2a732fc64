"""Collects the figures of each measured lever (one change in training), and makes the Markdown table of all."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from training.experiments.levers.setup import LEVERS
from training.hearing_figures.measure import OURS, Comparison

FIGURES, HISTORY = "figures.json", "history.csv"
COLUMNS = {
    "maps onset_50": "MAPS on@50",
    "maps onset_30": "on@30",
    "maps treble": "C4 up",
    "maps offset": "offset",
    "maps frame": "frame",
    "clean onset_50": "clean",
    "room onset_50": "room",
    "noise onset_50": "noise",
    "bleed -6 dB onset_50": "bleed -6 dB",
    "line-out 0 dB onset_50": "line-out",
    "clean delay": "delay ms",
}
"""Maps each figure of the table, to the title of its column. The columns have the order of this dict."""


def figures_of(name: str, compared: Comparison) -> dict[str, float]:
    """Return the mean of each score over the takes in per cent, and the median delay in milliseconds.

    `compared` holds the results on the set of takes that is called `name`. The keys of the result begin with `name`.
    """
    scores = compared.results[OURS].scores
    means = {f"{name} {key}": 100 * float(np.mean([getattr(s, key) for s in scores])) for key in vars(scores[0])}
    return {**means, f"{name} delay": 1000 * float(np.median(compared.delays_s or [np.nan]))}


def table(root: Path) -> str:
    """Return a Markdown table of all measured levers. It has only its head if no lever was measured.

    The columns are: change, expected effect, number of weights, lowest validation loss, and the figures in `COLUMNS`.
    """
    rows = []
    for name, lever in LEVERS.items():
        path = root / "fits" / name / FIGURES
        if not path.is_file():
            continue
        told = json.loads(path.read_text())
        cells = [f"{told['figures'][key]:.1f}" for key in COLUMNS]
        with (path.parent / HISTORY).open(newline="") as file:
            least = min(float(row["val_loss"]) for row in csv.DictReader(file))
        rows.append([f"`{name}`", lever.about, lever.expected, f"{told['parameters']:,}", f"{least:.2f}", *cells])
    head = ["lever", "what", "expected", "weights", "val. loss", *COLUMNS.values()]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])
