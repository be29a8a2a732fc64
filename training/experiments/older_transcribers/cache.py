"""Recordings for the older transcribers: the sound of scenes drawn again, its spectrograms kept in CACHE/notes.

Sets: `train` and `dev` are scenes of training and validation pieces on the pianos of a fit, mildly coloured; `right`
are the held-out piano's right hands, `mono` the same one note at a time, `maps` real recordings (evaluation only).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from device.errors import UserError
from training.corpora.pieces import CORPORA, load_pieces
from training.experiments.older_transcribers.chunks import Labels, check_alike, frame_labels
from training.experiments.older_transcribers.monophonic import single_line_takes
from training.experiments.older_transcribers.spectra import Levels, Spectrum
from training.hearing_figures.takes import RATE, Take, maps_takes, right_hand_takes
from training.note_scores import Notes
from training.pianos.banks import bank_names, load_bank
from training.scenes.cache import INVENTED
from training.scenes.noise import load_clips
from training.scenes.scene import draw_sound

FIT_SETS = {"train": "train", "dev": "valid"}
"""Set → the split of its pieces."""
TEST_SETS = ("right", "mono", "maps")


@dataclass(frozen=True)
class LabelledRecording:
    """`levels` [frames, bins], `notes` [n, 4] and `seconds` of a recording."""

    name: str
    levels: Levels
    notes: Notes
    seconds: float


def sound_path(cache: Path, which: str, name: str) -> Path:
    """The file that holds the sound of a scene."""
    return cache / "notes" / "sound" / which / f"{name}.npz"


def spectrum_folder(cache: Path, spectrum: Spectrum, which: str) -> Path:
    """The folder that holds the spectrograms of a set."""
    return cache / "notes" / spectrum.name / which


def scene_takes(cache: Path, data: Path, which: str, count: int, seed: int) -> Iterator[Take]:
    """`count` scenes of each corpus with pieces in the cache; what was drawn once is read again.

    Recorded noises are mixed in where the data folder is there.
    """
    split = FIT_SETS[which]
    banks = [load_bank(cache, name) for name in bank_names(cache)]
    if not banks:
        raise UserError(f"There are no note banks in {cache / 'banks'}: run `python -m training banks`.")
    clips = load_clips(data, "fit") if (data / "esc10-noise").is_dir() else []
    pieces = {corpus: [p for p in load_pieces(cache, corpus, split) if p.primary] for corpus in CORPORA}
    if not any(pieces.values()):
        raise UserError(f"There are no {split} pieces in {cache}: run `python -m training prepare`.")
    for corpus, own in (*((c, p) for c, p in pieces.items() if p), (INVENTED, [])):
        for number in range(count):
            name = f"{corpus}-{number:05d}"
            path = sound_path(cache, which, name)
            if not path.exists():
                rng = np.random.default_rng([seed, zlib.crc32(f"notes/{which}/{corpus}".encode()), number])
                sound = draw_sound(rng, own, banks, clips, mild=True)
                notes = np.array(sound.notes.tolist(), np.float64).reshape(-1, 4)
                _write(path, audio=np.rint(32767 * np.clip(sound.audio, -1, 1)).astype(np.int16), notes=notes)
            with np.load(path) as kept:
                yield Take(name, kept["audio"].astype(np.float32) / 32767, RATE, kept["notes"])


def test_takes(cache: Path, data: Path, which: str, count: int) -> list[Take]:
    """The takes of a test set."""
    if which == "maps":
        return maps_takes(data / "maps-enstdkcl")
    return right_hand_takes(cache, count, "clean") if which == "right" else single_line_takes(cache, count)


def process_fit(cache: Path, data: Path, spectrum: Spectrum, scenes: int, dev_scenes: int, seed: int) -> None:
    """Sound and spectrograms of `train` and `dev`, and the training set's mean and deviation; resumable."""
    for which, count in (("train", scenes), ("dev", dev_scenes)):
        _process(cache, spectrum, which, scene_takes(cache, data, which, count, seed), f"{which} {spectrum.name}")
    write_statistics(cache, spectrum)


def write_statistics(cache: Path, spectrum: Spectrum) -> None:
    """Mean and deviation of all levels of `train`, into the cache."""
    total = np.zeros(3)
    for recording in load_recordings(cache, spectrum, "train"):
        counts = np.bincount(recording.levels.ravel(), minlength=256)
        total += [counts.sum(), counts @ np.arange(256), counts @ np.arange(256) ** 2]
    mean = total[1] / total[0]
    deviation = float(np.sqrt(total[2] / total[0] - mean**2))
    statistics = {"mean": float(mean), "deviation": max(deviation, 1.0)}
    (spectrum_folder(cache, spectrum, "train").parent / "levels.json").write_text(json.dumps(statistics))


def process_test(cache: Path, data: Path, spectrum: Spectrum, sets: tuple[str, ...], count: int) -> None:
    """Spectrograms of the test sets; resumable."""
    for which in sets:
        _process(cache, spectrum, which, test_takes(cache, data, which, count), f"{which} {spectrum.name}")


def _process(cache: Path, spectrum: Spectrum, which: str, takes: Iterator[Take] | list[Take], told: str) -> None:
    for number, take in enumerate(tqdm(takes, desc=told)):
        # a scene keeps its name whatever their number; a test set's takes come in one order
        name = take.name if which in FIT_SETS else f"{number:05d}"
        path = spectrum_folder(cache, spectrum, which) / f"{name}.npz"
        if not path.exists():
            save_recording(path, spectrum, take)


def save_recording(path: Path, spectrum: Spectrum, take: Take) -> None:
    """Write a take's spectrogram and labels."""
    seconds = np.array(len(take.audio) / take.rate)
    levels = spectrum.of(take.audio, take.rate)
    _write(path, levels=levels, notes=take.notes, seconds=seconds, name=np.array(take.name))


def _write(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """A reader finds all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
    part.replace(path)


def load_recordings(cache: Path, spectrum: Spectrum, which: str) -> list[LabelledRecording]:
    """The spectrograms of a set; UserError where `process-train` or `process-test` have not made them."""
    paths = sorted(spectrum_folder(cache, spectrum, which).glob("*.npz"))
    if not paths:
        action = "process-train" if which in FIT_SETS else "process-test"
        raise UserError(f"There are no {which} spectrograms {spectrum.name} in {cache}: run with --action {action}.")
    recordings = []
    for path in paths:
        with np.load(path) as kept:
            recordings.append(
                LabelledRecording(str(kept["name"]), kept["levels"], kept["notes"], float(kept["seconds"]))
            )
    return recordings


def load_statistics(cache: Path, spectrum: Spectrum) -> tuple[float, float]:
    """Mean and deviation of all training levels: one pair for every bin and recording."""
    path = spectrum_folder(cache, spectrum, "train").parent / "levels.json"
    if not path.is_file():
        raise UserError(f"{path} is missing: run with --action process-train.")
    about = json.loads(path.read_text())
    return about["mean"], about["deviation"]


def labels_of(recordings: list[LabelledRecording], spectrum: Spectrum, names: bool) -> list[Labels]:
    """The labels of every recording, checked to be alike."""
    labels = [frame_labels(r.notes, len(r.levels), spectrum.hop_s, spectrum.window_s, names) for r in recordings]
    width = labels[0].shape[1]
    check_alike(zip((r.name for r in recordings), labels, (len(r.levels) for r in recordings), strict=True), width)
    for recording in recordings:
        if len(recording.levels) != spectrum.frames(round(recording.seconds * spectrum.sample_rate)):
            raise UserError(f"The spectrogram of {recording.name} has a wrong length: process it again.")
    return labels
