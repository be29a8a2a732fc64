"""Measures the songs that the diary's nets write, compares them with real songs, and makes the table of all entries.

An entry is one experiment of the diary. The history user is a net that chooses which earlier steps it reads.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mido
import numpy as np
import numpy.typing as npt

from device.errors import UserError
from training.experiments.music_generation.data import hands, inputs
from training.experiments.music_generation.fit import decoder_beside, fit, load
from training.experiments.music_generation.generate import BAR, both_hands, generate, keys_of
from training.experiments.music_generation.net import DiaryNet
from training.experiments.music_generation.setup import ENTRIES, LAGS, Entry
from training.experiments.seeds.data import Song, fold, roll_of_keys
from training.experiments.seeds.figures import TICKS, track

STEPS = 128
"""Length of a measured song in sixteenths: 8 bars. The time to write a song grows with the square of its length."""
SONGS = 4
"""Number of songs that an entry writes if its net does not learn during generation. Otherwise it writes one."""
TEMPO = 96
"""Tempo of a generated song in quarter notes a minute."""
SCALE = (0, 2, 4, 5, 7, 9, 11)
"""Pitch classes of C major, to find the scale that the notes of a stretch fit best."""
STRETCH = 64
"""Steps of a stretch whose notes are compared with a scale: 4 bars."""
SHOWN = {
    "notes": "notes a step",
    "silent": "silent",
    "in_scale": "in scale",
    "same": "same as before",
    "bar_before": "as a bar before",
    "consonant": "consonant",
}
MEASURED = ("weights", "CPU s", "loss")
TRUTH = "mg-truth"
PANEL, EXAMPLE, READING = "panel.json", "example.mid", "reading.png"

Array = npt.NDArray[Any]


def song_figures(keys: Array) -> dict[str, float]:
    """Return figures of a song, bool [T, 88], for the faults that the diary names.

    `notes` is the mean number of sounding keys, `silent` the share of steps without any. `in_scale` is the share of
    sounding pitch classes in the major scale that fits 4 bars best, `same` the share of steps equal to the step
    before, and `bar_before` that of steps equal to the step a bar before. `consonant` is the share of thirds, fourths,
    fifths and sixths among the intervals of sounding pitch classes. Silent steps do not count in the last three. The
    share is nan if there is nothing to count.
    """
    classes = fold(keys.astype(np.uint8)).astype(bool)
    scales = np.array([[(c - key) % 12 in SCALE for c in range(12)] for key in range(12)])
    inside = total = 0
    for first in range(0, len(keys), STRETCH):
        count = classes[first : first + STRETCH].sum(axis=0)
        inside, total = inside + int((scales @ count).max()), total + int(count.sum())
    some = keys.any(axis=1)

    def as_before(lag: int) -> float:
        both = some[lag:]
        return float((keys[lag:] == keys[:-lag]).all(axis=1)[both].mean()) if both.any() else float("nan")

    good = pairs = 0
    for step in classes:
        notes = np.flatnonzero(step)
        apart = (notes[:, None] - notes[None, :])[np.triu_indices(len(notes), 1)] % 12
        good, pairs = good + int(np.isin(apart, (3, 4, 5, 7, 8, 9)).sum()), pairs + len(apart)
    return {
        "notes": float(keys.sum(axis=1).mean()),
        "silent": float(1 - some.mean()),
        "in_scale": inside / total if total else float("nan"),
        "same": as_before(1),
        "bar_before": as_before(BAR),
        "consonant": good / pairs if pairs else float("nan"),
    }


def write_song(keys: Array, path: Path) -> None:
    """Write keys [T, 88] as a MIDI file of two tracks: the keys from middle C up, and those below."""
    file = mido.MidiFile(type=1, ticks_per_beat=TICKS)
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(TEMPO))]))
    for name, hand in zip(("Right hand", "Left hand"), both_hands(keys), strict=True):
        file.tracks.append(track(name, roll_of_keys(hand, np.zeros_like(hand)), 70))
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(str(path))


def measure(
    entry: Entry, folder: Path, found: list[Song] | None, valid: list[Song], steps: int = STEPS
) -> dict[str, Any]:
    """Fit `entry` (an experiment) on the songs `found`, let it write songs, and return the figures of these songs.

    If `found` is None, the fit in `folder` is used. UserError is raised if a fit is needed and missing. The figures,
    the first song as MIDI, and a picture of the steps that the history user reads are written into `folder`.
    """
    net = fit(entry, found, valid, folder) if found is not None else load(folder)[0]
    about = json.loads((folder / "config.json").read_text())
    if entry.body == "decoder":
        keys = np.stack([decoded(net, song, steps) for song in valid[:SONGS]])
    else:
        told = generate(net, steps, 1 if entry.meta else SONGS)
        keys = keys_of(told, decoder_beside(folder) if entry.width == 12 else None)
    if entry.body == "history-user":
        reading(net, valid[0], folder / READING)
    return kept(folder, keys, {**about, "decoded": entry.width == 12 and decoder_beside(folder) is not None})


def decoded(net: DiaryNet, song: Song, steps: int) -> Array:
    """Return the keys, bool [steps, 88], that the decoder chooses for the pitch classes of a real song."""
    classes = fold(hands(song)[None, :steps].astype(np.uint8)).astype(bool)
    padded = np.zeros((1, steps, 12), bool)
    padded[:, : classes.shape[1]] = classes
    return np.asarray(keys_of(padded, net)[0])


def measure_truth(folder: Path, valid: list[Song], steps: int = STEPS) -> dict[str, Any]:
    """Measure the first `SONGS` songs of `valid`, from their first note on, as `measure` does with written songs.

    All are cut to the length of the shortest, and to `steps`. Returns the figures, and writes them into `folder`.
    """
    songs = []
    for song in valid[:SONGS]:
        keys = hands(song)
        songs.append(keys[int(np.argmax(keys.any(axis=1))) :][:steps])
    shortest = min(map(len, songs))
    about = {"about": "songs of the validation split", "date": "", "found": ""}
    return kept(folder, np.stack([keys[:shortest] for keys in songs]), about)


def kept(folder: Path, keys: Array, about: dict[str, Any]) -> dict[str, Any]:
    """Compute the mean figures of the songs `keys` [songs, T, 88], and return them.

    The figures with the facts `about` the songs, and the first song as MIDI, are written into `folder`.
    """
    rows = [song_figures(own) for own in keys]
    figures = {name: _mean([row[name] for row in rows]) for name in SHOWN}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PANEL).write_text(json.dumps({"about": about, "figures": figures}, indent=1))
    write_song(keys[0], folder / EXAMPLE)
    return figures


def _shown(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def _mean(values: list[float]) -> float:
    there = [value for value in values if not np.isnan(value)]
    return float(np.mean(there)) if there else float("nan")


def coefficients(net: DiaryNet, song: Song, steps: int = STEPS) -> Array:
    """Return how much the history user (a net) reads each of the earlier steps `LAGS` at each step of a real song.

    The shares are [steps, lags].
    """
    keys = hands(song)[:steps]
    own = keys if net.entry.width != 12 else fold(keys.astype(np.uint8)).astype(bool)
    x = inputs(net.entry, own[None], own[None], song.positions[None, : len(own)], np.random.default_rng(0))
    return np.asarray(net.read.predict_on_batch({name: x[name] for name in ("now", "time") if name in x}))[0]


def reading(net: DiaryNet, song: Song, path: Path) -> None:
    """Draw which earlier steps the history user (a net) reads in a real song, and write the picture to `path`.

    The upper part has the share of each of `LAGS` at each step. The lower part is the piano roll.
    """
    from matplotlib.figure import Figure

    shares = coefficients(net, song)
    figure = Figure(figsize=(10, 5), layout="constrained")
    top, bottom = figure.subplots(2, sharex=True)
    image = top.imshow(shares.T, aspect="auto", origin="lower", vmin=0, cmap="viridis")
    top.set_yticks(range(len(LAGS)), [str(lag + 1) for lag in LAGS])
    top.set(ylabel="steps before the target", title="share that is read")
    figure.colorbar(image, ax=top)
    bottom.imshow(hands(song)[: len(shares)].T, aspect="auto", origin="lower", cmap="Greys")
    bottom.set(xlabel="sixteenth", ylabel="key")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def measured(root: Path) -> dict[str, dict[str, Any]]:
    """Read and return the saved figures of all measured entries, by the entry's name, in the diary's order.

    An entry with changed values (`Entry.changed`) follows the entry that it was made from.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in (TRUTH, *ENTRIES):
        for path in [root / name / PANEL, *sorted(root.glob(f"{name}@*/{PANEL}"))]:
            if path.is_file():
                found[path.parent.name] = json.loads(path.read_text())
    return found


def table(root: Path) -> str:
    """Return a Markdown table with one line for each measured entry: the diary's verdict, then our figures.

    Raises UserError if none was measured.
    """
    found = measured(root)
    if not found:
        raise UserError("No entry of the diary has been fitted: run `python -m training seeds --action fit` first.")
    lines = [
        f"| {' | '.join(['configuration', 'date', 'what it is', 'the diary found', *MEASURED, *SHOWN.values()])} |",
        "|" + "---|" * (4 + len(MEASURED) + len(SHOWN)),
    ]
    for name, row in found.items():
        about = row["about"]
        cells = [f"`{name}`", about["date"], about["about"], about["found"]]
        cells += [f"{about['parameters']:,}" if "parameters" in about else ""]
        cells += [f"{about['cpu_s']:.0f}" if "cpu_s" in about else ""]
        cells += [f"{about['val_loss']:.2f}" if "val_loss" in about else ""]
        lines.append(f"| {' | '.join([*cells, *(_shown(row['figures'][key]) for key in SHOWN)])} |")
    return "\n".join(lines)
