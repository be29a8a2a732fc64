"""Runs the four steps from one's own pairs of sound and MIDI to a fitted net. Each step returns a report as text.

extract-cqt makes spectrograms from sound. midi-to-labels makes labels in the same frames from MIDI. build-dataset makes
chunks from both, and checks that they have the same size. train-model fits a net on the chunks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.errors import UserError
from training.experiments.older_transcribers.cache import (
    LabelledRecording,
    labels_of,
    load_recordings,
    load_statistics,
    process_dataset,
)
from training.experiments.older_transcribers.chunks import check_alike
from training.experiments.older_transcribers.setup import NotesSetup, fit_folder
from training.experiments.older_transcribers.spectra import Spectrum
from training.hearing_figures.datasets import dataset_takes
from training.hearing_figures.frame_scores import Labels, frame_labels

SPLITS = ("train", "dev", "test")
PICTURE = "labels-over-cqt.png"
SHOWN_S = 12.0
"""Seconds of a recording in the picture."""


def run_step(action: str, setup: NotesSetup, folder: Path, root: Path, corpus: str) -> str:
    """Run one of the four steps on the recordings in `folder`, and store the results below `root`. Return a report."""
    return {
        "extract-cqt": extract_cqt,
        "midi-to-labels": midi_to_labels,
        "build-dataset": build_dataset,
        "train-model": train_model,
    }[action](setup, folder, root, corpus)


def step_folder(root: Path, spectrum: Spectrum) -> Path:
    """Return the folder of the single steps. It has cqt/NAME.npy [frames, bins] and labels/NAME.npy [frames, keys].

    Both arrays are uint8.
    """
    return root / "steps" / spectrum.name


def extract_cqt(setup: NotesSetup, folder: Path, root: Path, corpus: str) -> str:
    """Compute the spectrogram of every recording and store it. Return a line of text for each, with its size."""
    out, lines = step_folder(root, setup.spectrum) / "cqt", []
    for split in SPLITS:
        for take in dataset_takes(corpus, folder, split):
            levels = setup.spectrum.of(take.audio, take.rate)
            _save(out / f"{take.name}.npy", levels)
            lines.append(f"{take.name} ({split}): {len(take.audio) / take.rate:.1f} s, {levels.shape} levels")
    return "\n".join([*lines, f"{len(lines)} spectrograms in {out}"])


def midi_to_labels(setup: NotesSetup, folder: Path, root: Path, corpus: str) -> str:
    """Make labels from the MIDI of every recording, in the frames of its spectrogram. Return a line for each.

    Raises UserError if the spectrograms have not been made.
    """
    place, spectrum, lines = step_folder(root, setup.spectrum), setup.spectrum, []
    for split in SPLITS:
        for take in dataset_takes(corpus, folder, split):
            levels = _load(place / "cqt" / f"{take.name}.npy", "extract-cqt")
            labels = frame_labels(take.notes, len(levels), spectrum.hop_s, spectrum.window_s, names=setup.names)
            _save(place / "labels" / f"{take.name}.npy", labels)
            share = 100 * float(labels.any(axis=1).mean())
            lines.append(f"{take.name}: {len(take.notes)} notes, {labels.shape} labels, {share:.0f} % of frames sound")
    return "\n".join([*lines, f"{len(lines)} files of labels in {place / 'labels'}"])


def build_dataset(setup: NotesSetup, folder: Path, root: Path, corpus: str) -> str:
    """Check the labels of each recording against its spectrogram, and write the sets for fit, development and test.

    The labels of a recording have one row for each frame of its spectrogram. The test set has the name of `corpus`.
    Also draws the first recording's labels over its spectrogram. Returns the sizes of the sets, the mean and deviation
    of the levels, and the path of this picture. Raises UserError if a step before this one is missing, if the rows of
    labels and the frames of a spectrogram differ in number, if the labels have a wrong width, or if they are not 0 and
    1 in uint8.
    """
    place, spectrum = step_folder(root, setup.spectrum), setup.spectrum
    names = [path.stem for path in sorted((place / "labels").glob("*.npy"))]
    if not names:
        raise UserError("There are no labels: run with --action midi-to-labels first.")
    arrays = [(name, _load(place / "labels" / f"{name}.npy", "midi-to-labels")) for name in names]
    frames = {name: len(_load(place / "cqt" / f"{name}.npy", "extract-cqt")) for name in names}
    check_alike([(name, labels, frames[name]) for name, labels in arrays], setup.width)
    process_dataset(root, spectrum, corpus, folder, tests=False, most=None)
    process_dataset(root, spectrum, corpus, folder, tests=True, most=None)
    lines = []
    for which in ("train", "dev", corpus):
        recordings = load_recordings(root, spectrum, which)
        chunks = sum(setup.chunks.count(len(recording.levels)) for recording in recordings)
        size = (chunks, setup.chunks.frames, spectrum.bins)
        lines.append(f"{which}: {len(recordings)} recordings, chunks {size}, labels {(*size[:2], setup.width)}")
    mean, deviation = load_statistics(root, spectrum)
    first = load_recordings(root, spectrum, "train")[0]
    picture = place / PICTURE
    labels_over_levels(first, labels_of([first], spectrum, names=False)[0], spectrum, picture)
    return "\n".join([*lines, f"levels: mean {mean:.1f}, deviation {deviation:.1f} over all of train", f"{picture}"])


def train_model(setup: NotesSetup, folder: Path, root: Path, corpus: str) -> str:
    """Fit the family of `setup` on the data set that `build_dataset` wrote, with the validation set `dev`.

    Returns a line of text with the folder of the fit and its best loss.
    """
    from training.experiments.older_transcribers.fit import best_loss, fit

    spectrum = setup.spectrum
    train, dev = (load_recordings(root, spectrum, which) for which in ("train", "dev"))
    out = fit_folder(root, setup.name, dev=True)
    fit(setup, train, dev, load_statistics(root, spectrum), out)
    return f"{out}: best validation loss {best_loss(out):.4f}"


def labels_over_levels(recording: LabelledRecording, labels: Labels, spectrum: Spectrum, path: Path) -> None:
    """Draw the labels [frames, 88] of a recording's first seconds over its spectrogram, as outlines."""
    from matplotlib.figure import Figure

    shown = min(int(SHOWN_S / spectrum.hop_s), len(recording.levels))
    figure = Figure(figsize=(11, 5), layout="constrained")
    axes = figure.subplots()
    top = 21 + 12 * spectrum.bins / spectrum.bins_per_octave
    axes.imshow(
        recording.levels[:shown].T, origin="lower", aspect="auto", extent=(0, shown * spectrum.hop_s, 20.5, top - 0.5)
    )
    sounding = labels[:shown].T.astype(float)
    times = (np.arange(shown) + 0.5) * spectrum.hop_s
    axes.contour(times, 21 + np.arange(len(sounding)), sounding, levels=[0.5], colors="white", linewidths=0.8)
    axes.set(xlabel="s", ylabel="MIDI pitch", title=recording.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _save(path: Path, array: npt.NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, array)
    part.replace(path)


def _load(path: Path, action: str) -> npt.NDArray[Any]:
    if not path.is_file():
        raise UserError(f"{path} is missing: run with --action {action} first.")
    return np.asarray(np.load(path))
