"""Writes a page that compares all fits of the older transcribers, the shipped one and two pitch trackers in pictures.

The page has the learning curves of all fits. For each system it has a confusion matrix of 12 note names and silence,
how reliable each name is, and the heard notes in blue over the original in yellow. The heard and the original notes are
written as MIDI too.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import mido
import numpy as np
import numpy.typing as npt

from device.errors import UserError
from training.experiments.older_transcribers.decode import Decoding, decode
from training.experiments.older_transcribers.figures import ears_of
from training.hearing_figures.report import page, picture
from training.hearing_figures.takes import Take, excerpt
from training.note_scores import Notes

NOTE_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
SILENCE = 12
"""Row and column of the confusion matrix for a frame in which nothing sounds or is heard."""
FRAME_S = 0.032
"""Seconds of a frame in which note names are compared: as in docs/experiments/older-transcribers.md."""
FEWEST_FRAMES = 30
"""Least number of frames in which a name must be heard before its reliability is stated."""
EXCERPT_S = 30.0
"""Seconds of each recording that the page compares."""
SHOWN_S = 12.0
"""Seconds in a picture of notes."""
ORIGINAL, HEARD = "#f2b705", "#1c4fd6"
"""Yellow for the original and blue for the prediction, as the document asks."""
UNFITTED = Decoding(threshold=0.3)
"""The numbers that turn probabilities into notes for a fit that was never tested, and so has none of its own."""

Matrix: TypeAlias = npt.NDArray[np.float64]


def names_of(notes: Notes, frames: int) -> npt.NDArray[np.bool_]:
    """Return which of the 12 note names sound in each frame of `FRAME_S` seconds, bool [frames, 12]."""
    out = np.zeros((frames, 12), bool)
    for on, off, pitch, _ in notes:
        first = int(on / FRAME_S)
        out[first : max(int(off / FRAME_S), first + 1), int(pitch) % 12] = True
    return out


def confusion(wanted: npt.NDArray[np.bool_], heard: npt.NDArray[np.bool_]) -> Matrix:
    """Return the confusion matrix of 12 note names and silence, [13, 13]. Rows are played, columns are heard.

    `wanted` and `heard` are the played and the heard names, [frames, 12]. A name that is played and heard counts on the
    diagonal. If a frame has missed names and false names, these are paired in equal shares. A missed name without a
    false one counts as heard as silence. A false name without a missed one counts as heard in silence.
    """
    out = np.zeros((13, 13))
    out[range(12), range(12)] = (wanted & heard).sum(axis=0)
    out[SILENCE, SILENCE] = (~wanted.any(axis=1) & ~heard.any(axis=1)).sum()
    for missed, false in zip(wanted & ~heard, heard & ~wanted, strict=True):
        rows, columns = np.flatnonzero(missed), np.flatnonzero(false)
        if len(rows) and len(columns):
            out[np.ix_(rows, columns)] += 1 / max(len(rows), len(columns))
        out[rows, SILENCE] += max(0, len(rows) - len(columns)) / max(len(rows), 1)
        out[SILENCE, columns] += max(0, len(columns) - len(rows)) / max(len(columns), 1)
    return out


def reliability(matrix: Matrix) -> list[float | None]:
    """Return for each of the 12 names the share of the frames in which it is heard that are right.

    The share is None for a name that is heard in fewer than `FEWEST_FRAMES` frames.
    """
    heard = matrix[:, :12].sum(axis=0)
    return [float(matrix[i, i] / heard[i]) if heard[i] >= FEWEST_FRAMES else None for i in range(12)]


def fits_in(root: Path) -> list[Path]:
    """Return the folders of all fits below `root` that can be loaded."""
    found = sorted((root / "fits" / "notes").glob("*/setup.json"))
    return [path.parent for path in found if (path.parent / "pitch.weights.h5").is_file()]


def systems_of(root: Path, trackers: bool) -> tuple[dict[str, Callable[[Take], Notes]], list[str]]:
    """Return all systems by name, and a line of text for each system that is left out.

    A system is a function that gets a take and returns the heard notes. There is one for each fit, one for the shipped
    transcriber, and one for each pitch tracker if `trackers` is true. A tracker without its package is left out.
    """
    from training.experiments.older_transcribers.fit import Fitted

    systems: dict[str, Callable[[Take], Notes]] = {}
    for folder in fits_in(root):
        fitted, decoding = Fitted.load(folder), Decoding.load(folder) or UNFITTED

        def hears(take: Take, fitted: Any = fitted, decoding: Decoding = decoding) -> Notes:
            spectrum = fitted.setup.spectrum
            return decode(fitted.posteriors(spectrum.of(take.audio, take.rate)), decoding, spectrum)

        systems[folder.name] = hears
    left_out = []
    for name in ("shipped", *(("pyin", "neural") if trackers else ())):
        try:
            systems[name] = ears_of(name)
        except UserError as error:
            left_out.append(f"{name}: {error}")
    return systems, left_out


def curves(folders: list[Path]) -> Callable[[Any], None]:
    """Return a function that draws the losses of all fits in one diagram of a matplotlib figure.

    It draws the validation loss, or the training loss of a fit without a validation loss.
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for folder in folders:
            with (folder / "pitch.csv").open(newline="") as file:
                rows = list(csv.DictReader(file))
            losses = [float(row.get("val_loss") or row["loss"]) for row in rows]
            axes.plot(range(1, len(losses) + 1), losses, ".-", label=folder.name)
        axes.set(xlabel="epoch", ylabel="validation loss")
        axes.legend(fontsize="small")

    return draw


def matrix_picture(matrix: Matrix) -> Callable[[Any], None]:
    """Return a function that draws a confusion matrix. The numbers are in per cent of the sum of their row."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        share = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-9)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for row, column in zip(*np.nonzero(share >= 1), strict=True):
            axes.text(column, row, f"{share[row, column]:.0f}", ha="center", va="center", fontsize="x-small")
        axes.set_xticks(range(13), [*NOTE_NAMES, "silence"], rotation=60)
        axes.set_yticks(range(13), [*NOTE_NAMES, "silence"])
        axes.set(xlabel="heard", ylabel="played")

    return draw


def roll_picture(wanted: Notes, heard: Notes) -> Callable[[Any], None]:
    """Return a function that draws a piano roll: the original notes in yellow under the heard notes in blue."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for notes, colour, width, name in ((wanted, ORIGINAL, 6, "original"), (heard, HEARD, 2, "prediction")):
            for on, off, pitch, _ in notes[notes[:, 0] < SHOWN_S]:
                axes.plot([on, min(off, SHOWN_S)], [pitch, pitch], color=colour, lw=width, solid_capstyle="butt")
            axes.plot([], [], color=colour, lw=width, label=name)
        axes.set(xlabel="s", ylabel="MIDI pitch", xlim=(0, SHOWN_S))
        axes.legend(loc="upper right", fontsize="small")

    return draw


def write_midi(wanted: Notes, heard: Notes, path: Path) -> None:
    """Write the original and the heard notes as two tracks of a MIDI file, at 1,000 ticks a second."""
    file = mido.MidiFile(type=1, ticks_per_beat=500)
    for name, notes in (("original", wanted), ("prediction", heard)):
        edges = [(round(1000 * off), 0, "note_off", int(pitch), 0) for _, off, pitch, _ in notes]
        edges += [(round(1000 * on), 1, "note_on", int(pitch), int(velocity)) for on, _, pitch, velocity in notes]
        track, at = mido.MidiTrack([mido.MetaMessage("track_name", name=name)]), 0
        for tick, _, kind, pitch, velocity in sorted(edges):
            track.append(mido.Message(kind, note=pitch, velocity=velocity, time=max(tick - at, 0)))
            at = max(tick, at)
        file.tracks.append(track)
    file.save(str(path))


def write_report(root: Path, takes: list[Take], trackers: bool, out: Path) -> str:
    """Write index.html and the MIDI files into `out`. Return the path of the page and the systems left out, as text.

    Raises UserError if there are no takes.
    """
    if not takes:
        raise UserError("There is no recording to compare the transcribers on.")
    out.mkdir(parents=True, exist_ok=True)
    systems, left_out = systems_of(root, trackers)
    parts = []
    if fits_in(root):
        parts.append(("Learning curves", picture(curves(fits_in(root)))))
    else:
        left_out.append(f"learning curves: there is no fit below {root / 'fits' / 'notes'}, run --action train-val")
    short = [excerpt(take, EXCERPT_S) for take in takes]
    reliable = {}
    for name, hears in systems.items():
        heard, matrix = [hears(take) for take in short], np.zeros((13, 13))
        for take, notes in zip(short, heard, strict=True):
            frames = int(len(take.audio) / take.rate / FRAME_S) + 1
            matrix += confusion(names_of(take.notes, frames), names_of(notes, frames))
        reliable[name] = reliability(matrix)
        write_midi(short[0].notes, heard[0], out / f"{name}.mid")
        rolls = picture(roll_picture(short[0].notes, heard[0]), (10, 3.4))
        parts.append((name, f"{picture(matrix_picture(matrix), (6.5, 5.5))}{rolls}<p>{name}.mid</p>"))
    parts.append(("Reliability: share of frames that are right where a name is heard", _reliability_table(reliable)))
    if left_out:
        parts.append(("Left out", "".join(f"<p>{text}</p>" for text in left_out)))
    path = out / "index.html"
    path.write_text(page(f"Older transcribers on {len(short)} recordings", parts), encoding="utf-8")
    return "\n".join([f"{path}: {', '.join(systems)}", *(f"left out: {text}" for text in left_out)])


def _reliability_table(reliable: dict[str, list[float | None]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in NOTE_NAMES)
    rows = "".join(
        f"<tr><th>{name}</th>"
        + "".join(f"<td>{'too few' if share is None else f'{share:.2f}'}</td>" for share in shares)
        + "</tr>"
        for name, shares in reliable.items()
    )
    return f"<table><tr><th></th>{head}</tr>{rows}</table>"
