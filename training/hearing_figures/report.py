"""`python -m training report` writes an HTML page with pictures of the notes that a transcriber hears and misses.

The notes come from the .tflite model of a bundle, which gets the sound hop by hop. Only the picture of the net's doubt
(the variance over runs with dropout) comes from the float net of a fit.
"""

from __future__ import annotations

import base64
import csv
import io
from collections import Counter
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import click
import numpy as np

from device.bundles.bundle import Bundle, default_bundle
from device.errors import UserError
from device.events import KEYS, LOWEST_KEY
from device.hearing.gate_spec import GateSpec
from training.hearing_figures.cases import Case, case_of
from training.hearing_figures.measure import calibration_error
from training.hearing_figures.mistakes import KINDS
from training.hearing_figures.takes import REAL, SETTINGS, takes_of
from training.hearing_figures.trust import (
    GHOST,
    HIT,
    MISSED,
    confidences,
    curve,
    delays,
    doubts,
    look_ahead,
    missed_against_false,
    reliability,
    uncertainty,
)
from training.note_scores import FRAME_S
from training.options import CACHE, DATA
from training.transcriber.hear import fit_named

SHOWN_S = 12.0
"""Seconds of a take that a piano roll or a spectrogram shows: few enough that each note can be seen."""
SHIPPED_FIT = "sixteenth"
"""Name of the fit in training/fits whose weights the shipped bundle holds."""
STYLE = (
    "body{font:16px sans-serif;max-width:70em;margin:2em auto}img{max-width:100%}"
    "td,th{padding:.2em 1em;text-align:right}"
)


def picture(draw: Callable[[Any], None], size: tuple[float, float] = (9, 3.2)) -> str:
    """Let `draw` fill a matplotlib figure, and return it as an HTML <img>. `size` is its width and height in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return f'<img alt="" src="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}">'


def learning_curves(history: Path) -> Callable[[Any], None]:
    """Return a function that draws the training and validation loss of each epoch into a matplotlib figure.

    `history` is the CSV file that Keras writes.
    """
    rows = list(csv.DictReader(history.open()))

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for name in ("loss", "val_loss"):
            axes.plot([int(row["epoch"]) + 1 for row in rows], [float(row[name]) for row in rows], label=name)
        axes.set(xlabel="epoch", ylabel="loss")
        axes.legend()

    return draw


def labels_over_spectrogram(case: Case, hop_s: float) -> Callable[[Any], None]:
    """Return a function that draws a take's spectrogram with its labels into a matplotlib figure.

    The spectrogram is the one from the long window. A line runs from the start of each label to its end. `hop_s` is the
    length of a frame in seconds.
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        shown = case.frames[: int(SHOWN_S / hop_s), :, 0].T
        axes.imshow(shown, origin="lower", aspect="auto", extent=(0, SHOWN_S, 20.67, 20.67 + len(shown) / 3))
        for on, off, pitch, _ in case.take.notes[case.take.notes[:, 0] < SHOWN_S]:
            axes.plot([on, off], [pitch, pitch], color="white", lw=1)
            axes.plot([on], [pitch], "|", color="white", ms=5)
        axes.set(xlabel="s", ylabel="MIDI pitch", xlim=(0, SHOWN_S), ylim=(21, 118))

    return draw


def roll(case: Case) -> Callable[[Any], None]:
    """Return a function that draws three piano rolls of a take into a matplotlib figure.

    They show: hits, missed labels and ghosts; the notes played; the notes heard.
    """

    def draw(figure: Any) -> None:
        both, original, ours = figure.subplots(3, sharex=True, sharey=True)
        wanted, found = case.take.notes, case.heard.notes
        rows = [(found[j], HIT) for _, j in case.judged.hits]
        rows += [(wanted[i], MISSED) for i in case.judged.missed] + [(found[j], GHOST) for j in case.judged.ghosts]
        for axes, notes in (
            (both, rows),
            (original, [(n, "black") for n in wanted]),
            (ours, [(n, HIT) for n in found]),
        ):
            for (on, off, pitch, _), colour in notes:
                if on < SHOWN_S:
                    axes.plot([on, min(off, SHOWN_S)], [pitch, pitch], color=colour, lw=2.2, solid_capstyle="butt")
        for axes, name in ((both, "hit, missed, ghost"), (original, "played"), (ours, "heard")):
            axes.set_ylabel(name)
        ours.set(xlabel="s", xlim=(0, SHOWN_S))
        for name, colour in (("hit", HIT), ("missed", MISSED), ("ghost", GHOST)):
            both.plot([], [], color=colour, label=name)
        both.legend(loc="upper right", fontsize="small", ncols=3)

    return draw


def by_pitch(cases: list[Case]) -> Callable[[Any], None]:
    """Return a function that draws the number of hits, missed labels and ghosts at each pitch.

    It draws into the matplotlib figure that it is given.
    """
    count = np.zeros((3, KEYS))
    for case in cases:
        for row, notes in enumerate(
            (
                case.take.notes[[i for i, _ in case.judged.hits], 2],
                case.take.notes[case.judged.missed, 2],
                case.heard.notes[case.judged.ghosts, 2],
            )
        ):
            np.add.at(count[row], notes.astype(int) - LOWEST_KEY, 1)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        at = np.arange(LOWEST_KEY, LOWEST_KEY + KEYS)
        axes.bar(at, count[0], color=HIT, label="hit", width=1)
        axes.bar(at, count[1], bottom=count[0], color=MISSED, label="missed", width=1)
        axes.bar(at, -count[2], color=GHOST, label="ghost", width=1)
        axes.set(xlabel="MIDI pitch", ylabel="notes")
        axes.legend()

    return draw


def ghost_kinds(cases: list[Case]) -> Callable[[Any], None]:
    """Return a function that draws the number of ghosts of each kind into a matplotlib figure."""
    kinds = sum((case.judged.kinds for case in cases), Counter[str]())

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.bar(KINDS, [kinds[kind] for kind in KINDS], color=GHOST)
        axes.set(ylabel="ghosts")

    return draw


def confusion(cases: list[Case]) -> str:
    """Return an HTML table of counts over all keys and all short frames of time (of `FRAME_S` seconds).

    It counts how often a key that sounds, or a silent key, was heard as sounding or as silent.
    """
    table = np.zeros((2, 2), np.int64)
    for case in cases:
        length = int(len(case.take.audio) / case.take.rate / FRAME_S)
        rolls = [np.zeros((length, KEYS), bool) for _ in range(2)]
        for sounding, notes in zip(rolls, (case.take.notes, case.heard.notes), strict=True):
            for on, off, pitch, _ in notes:
                sounding[int(on / FRAME_S) : int(off / FRAME_S), int(pitch) - LOWEST_KEY] = True
        np.add.at(table, (rolls[0].astype(int).ravel(), rolls[1].astype(int).ravel()), 1)
    head = "<tr><th></th><th>heard silent</th><th>heard sounding</th></tr>"
    rows = "".join(
        f"<tr><th>{name}</th><td>{silent:,}</td><td>{sounds:,}</td></tr>"
        for name, (silent, sounds) in zip(("silent", "sounding"), table.tolist(), strict=True)
    )
    return f"<table>{head}{rows}</table>"


def page(title: str, parts: list[tuple[str, str]], style: str = "") -> str:
    """Return an HTML page as text. Each part is (heading, content in HTML).

    `style` is added to the page's own style sheet.
    """
    body = "".join(f"<h2>{escape(head)}</h2>{content}" for head, content in parts)
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}{style}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>{body}</body></html>'


@click.command()
@click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: the shipped one."
)
@CACHE
@DATA
@click.option(
    "--on", "setting", type=click.Choice([REAL, *SETTINGS]), default="room", show_default=True, help="What is heard."
)
@click.option("--takes", default=8, show_default=True, help="Takes on the page.")
@click.option("--fit", default=SHIPPED_FIT, show_default=True, help="A fit in CACHE/fits or training/fits.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("out/hearing.html"), show_default=True, help="Page to write."
)
def report(folder: Path, cache: Path, data: Path, setting: str, takes: int, fit: str, out: Path) -> None:
    """Write an HTML page with pictures of the notes that the transcriber hears and misses."""
    bundle = Bundle.open(folder)
    cases = [case_of(bundle, take) for take in takes_of(setting, bundle, cache, data, takes)[:takes]]
    hop_s = bundle.features.hop_s
    gate = GateSpec.from_dict({k: v for k, v in bundle.manifest.gate.items() if k in GateSpec.__dataclass_fields__})
    left_out, parts = [], []
    try:
        fitted: Path | None = fit_named(cache, fit)
    except UserError as error:
        fitted = None
        left_out.append(f"learning curves and doubt: {error}")
    if fitted is not None and (fitted / "history.csv").is_file():
        parts.append(("Learning curves", picture(learning_curves(fitted / "history.csv"))))
    elif fitted is not None:
        left_out.append(f"learning curves: {fitted} has no history.csv")
    error_told = calibration_error(confidences(cases))
    calibrated = (
        "too few notes for a calibration error" if np.isnan(error_told) else f"calibration error {error_told:.3f}"
    )
    parts += [
        ("Labels over the spectrogram", picture(labels_over_spectrogram(cases[0], hop_s), (9, 4))),
        ("Hits, misses and ghosts", picture(roll(cases[0]), (9, 7))),
        ("By pitch", picture(by_pitch(cases))),
        ("Ghosts by kind", picture(ghost_kinds(cases))),
        ("Frames", confusion(cases)),
        (
            f"Reliability: {calibrated}",
            picture(reliability(cases), (6, 5)),
        ),
        ("Delay", picture(delays(cases))),
        ("F1 against look-ahead", picture(look_ahead(cases))),
        ("Missed against false notes", picture(curve(missed_against_false(cases, gate, hop_s)), (6, 4))),
    ]
    if fitted is not None:
        doubted = np.concatenate([doubts(case, fitted) for case in cases])
        parts.append(("Doubt: variance by Monte Carlo dropout beside the confidence", picture(uncertainty(doubted))))
    if left_out:
        parts.append(("Left out", "".join(f"<p>{escape(text)}</p>" for text in left_out)))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(f"Hearing: {len(cases)} takes, {setting}", parts), encoding="utf-8")
    click.echo("\n".join([f"{out}", *(f"left out: {text}" for text in left_out)]))
