"""Measures the music of the Bach net for each way to choose the next token, and compares it with real chorales."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import UserError
from training.experiments.bach.corpus import Chorale4, choose, count_tokens, read_chorales
from training.experiments.bach.generate import START, figures, generated, write_midi
from training.experiments.bach.net import PICKS, Bach, Sampling, fit_bach

FAMILY = "bach"
LENGTH = 64
"""Number of events of a measured piece, including its start. An event is a note, a chord or a rest."""
PIECES = 4
"""Number of pieces that are measured for each way to choose the next token."""
PANEL = "panel.json"
SHOWN = {"different": "different events", "repeated": "as the event before", "longest_repeat": "longest repeat"}


def bach_folder(cache: Path) -> Path:
    """Return the path of the folder for the fit of the Bach net."""
    return cache / "fits" / "seeds" / FAMILY


def kept_chorales(cache: Path) -> list[Chorale4]:
    """Return the chorales that the fit uses, in the order of the corpus.

    Raises UserError if music21 is not installed, or if no chorale is in 4/4.
    """
    found = read_chorales(cache)
    return choose(found, len(count_tokens(found))).kept


def measure(cache: Path, fits: bool) -> dict[str, dict[str, float]]:
    """Measure the music that the net writes with each of `PICKS` (ways to choose the next token), and store the result.

    If `fits` is true, the net is fitted first. Returns the mean figures (see `generate.figures`) of each pick by its
    name. The row "truth" has the figures of real chorales. The figures are stored in the file PANEL, and one example of
    each pick in a MIDI file. Raises UserError if there is no fit, or if music21 is not installed.
    """
    folder = bach_folder(cache)
    net = fit_bach(read_chorales(cache), folder) if fits else Bach.load(folder)
    chorales = kept_chorales(cache)
    rows: dict[str, dict[str, float]] = {"truth": _mean([_true(net, c) for c in chorales[:PIECES]])}
    for pick in PICKS:
        pieces = [generated(net, chorales, number, LENGTH, Sampling(pick), number) for number in range(PIECES)]
        write_midi(pieces[0], net.vocabulary.pitches, folder / f"{pick}.mid")
        rows[pick] = _mean([figures(piece) for piece in pieces])
    about = {key: value for key, value in net.about.items() if key not in ("tokens", "pitches")}
    (folder / PANEL).write_text(json.dumps({"about": about, "rows": rows}, indent=1))
    return rows


def _true(net: Bach, chorale: Chorale4) -> dict[str, float]:
    return figures([net.vocabulary.tokens[n] for n in net.vocabulary.numbers(chorale)[:LENGTH]])


def _mean(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def table(cache: Path) -> str:
    """Return a Markdown table: a line for the chorales and one for each way to choose the next token.

    Raises UserError if nothing was measured before.
    """
    path = bach_folder(cache) / PANEL
    if not path.is_file():
        raise UserError("The Bach net has not been fitted: run `python -m training seeds --action fit --family bach`.")
    kept: dict[str, Any] = json.loads(path.read_text())
    about = kept["about"]
    lines = [
        f"{about['about']}: {about['parameters']:,} weights, {about['cpu_s']:.0f} CPU s, "
        f"loss {about['loss']:.2f}, validation loss {about.get('val_loss', float('nan')):.2f}; "
        f"{LENGTH - START} events after {START} of a chorale",
        "",
        f"| choice | {' | '.join(SHOWN.values())} |",
        "|" + "---|" * (1 + len(SHOWN)),
    ]
    for name, row in kept["rows"].items():
        lines.append(f"| `{name}` | {row['different']:.1f} | {row['repeated']:.2f} | {row['longest_repeat']:.1f} |")
    return "\n".join(lines)
