"""Makes recordings for the older transcribers and keeps their sound and spectrograms in CACHE/notes.

A set is a group of recordings. `train` and `dev` are scenes (rendered recordings) of training and validation pieces.
They use the pianos of the fit, with mild rooms and noise. `right` holds right hands on a piano that no fit uses, and
`mono` holds the same, one note at a time. `maps` holds real recordings. `right`, `mono` and `maps` serve only to
measure. A data set is written below a folder of its own.
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
from training.experiments.older_transcribers.chunks import check_alike
from training.experiments.older_transcribers.monophonic import single_line_takes
from training.experiments.older_transcribers.spectra import Levels, Spectrum
from training.hearing_figures.datasets import DATASETS, dataset_takes, folder_of
from training.hearing_figures.frame_scores import Labels, frame_labels
from training.hearing_figures.takes import RATE, Take, maps_takes, right_hand_takes
from training.note_scores import Notes
from training.pianos.banks import bank_names, load_bank
from training.scenes.cache import INVENTED
from training.scenes.noise import load_clips
from training.scenes.scene import draw_sound

FIT_SETS = {"train": "train", "dev": "valid"}
"""Name of a set → the split of its pieces."""
TEST_SETS = ("right", "mono", "maps", *DATASETS)
SCENES = "scenes"
CORPORA_OF_FITS = (SCENES, *DATASETS)
"""Names of the collections of recordings on which a net can be fitted: the rendered scenes, or a data set."""


@dataclass(frozen=True)
class LabelledRecording:
    """Holds a recording's spectrogram and its true notes.

    `levels` is [frames, bins]. `notes` is [n, 4]: onset and end in seconds, MIDI pitch, velocity. `seconds` is the
    length of the recording.
    """

    name: str
    levels: Levels
    notes: Notes
    seconds: float


def sound_path(cache: Path, which: str, name: str) -> Path:
    """Return the path of the file that holds the sound of the scene `name` of the set `which`."""
    return cache / "notes" / "sound" / which / f"{name}.npz"


def spectrum_folder(cache: Path, spectrum: Spectrum, which: str) -> Path:
    """Return the path of the folder that holds the spectrograms of the set `which`."""
    return cache / "notes" / spectrum.name / which


def scene_takes(cache: Path, data: Path, which: str, count: int, seed: int) -> Iterator[Take]:
    """Yield `count` rendered scenes for each corpus that has pieces in the cache, and as many of invented music.

    `which` is `train` or `dev`. A scene that was made before is read from the cache. A new one is stored there.
    Recorded noises are mixed in if the data folder holds them. Raises UserError if `cache` holds no note banks or no
    pieces.
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


def root_of(cache: Path, corpus: str, folder: Path) -> Path:
    """Return the folder for a corpus's spectrograms and fits: `cache` for the scenes, else a folder below `cache`."""
    if corpus == SCENES:
        return cache
    return cache / "corpora" / f"{corpus}-{zlib.crc32(str(folder.resolve()).encode()):08x}"


def test_takes(cache: Path, data: Path, which: str, count: int, pairs: Path | None = None) -> list[Take]:
    """Return the takes (recordings with their true notes) of the test set `which`.

    For `right` and `mono` they are up to `count` rendered recordings, and for `maps` all real recordings. For a data
    set they are up to `count` recordings of its test split. The data sets are in the folder `data`, and one's own pairs
    of sound and MIDI in the folder `pairs`. Raises UserError if the folder of a data set is missing.
    """
    if which in DATASETS:
        return list(dataset_takes(which, folder_of(which, data, pairs), "test", count))
    if which == "maps":
        return maps_takes(data / "maps-enstdkcl")
    return right_hand_takes(cache, count, "clean") if which == "right" else single_line_takes(cache, count)


def process_dataset(root: Path, spectrum: Spectrum, corpus: str, folder: Path, tests: bool, most: int | None) -> None:
    """Write the spectrograms of a data set below `root`, of up to `most` recordings in each split.

    If `tests` is true, the recordings of the test split are written. Otherwise those of the splits for training and
    development are written, with the mean and deviation of the training levels.
    """
    for which, split in {corpus: "test"}.items() if tests else {"train": "train", "dev": "dev"}.items():
        takes = dataset_takes(corpus, folder, split, most)
        _process(root, spectrum, which, takes, f"{corpus} {split} {spectrum.name}")
    if not tests:
        write_statistics(root, spectrum)


def process_fit(cache: Path, data: Path, spectrum: Spectrum, scenes: int, dev_scenes: int, seed: int) -> None:
    """Write sound and spectrograms of the sets `train` and `dev`, and the mean and deviation of the levels of `train`.

    `scenes` and `dev_scenes` are the numbers of scenes of each corpus. Files that exist are kept, so a second call goes
    on where the first one stopped. Raises UserError if `cache` holds no note banks or no pieces.
    """
    for which, count in (("train", scenes), ("dev", dev_scenes)):
        _process(cache, spectrum, which, scene_takes(cache, data, which, count, seed), f"{which} {spectrum.name}")
    write_statistics(cache, spectrum)


def write_statistics(cache: Path, spectrum: Spectrum) -> None:
    """Write the mean and standard deviation of the levels of all training recordings into the cache.

    The file levels.json holds one mean and one deviation for all bins and recordings. The deviation is at least 1.
    Raises UserError if there are no training spectrograms.
    """
    total = np.zeros(3)
    for recording in load_recordings(cache, spectrum, "train"):
        counts = np.bincount(recording.levels.ravel(), minlength=256)
        total += [counts.sum(), counts @ np.arange(256), counts @ np.arange(256) ** 2]
    mean = total[1] / total[0]
    deviation = float(np.sqrt(total[2] / total[0] - mean**2))
    statistics = {"mean": float(mean), "deviation": max(deviation, 1.0)}
    (spectrum_folder(cache, spectrum, "train").parent / "levels.json").write_text(json.dumps(statistics))


def process_test(
    cache: Path, data: Path, spectrum: Spectrum, sets: tuple[str, ...], count: int, pairs: Path | None = None
) -> None:
    """Write the spectrograms of the test sets `sets`. A second call goes on where the first one stopped.

    `count` limits the recordings of a set, as in `test_takes`. Raises UserError if the recordings of a set are missing.
    """
    for which in sets:
        _process(cache, spectrum, which, test_takes(cache, data, which, count, pairs), f"{which} {spectrum.name}")


def _process(cache: Path, spectrum: Spectrum, which: str, takes: Iterator[Take] | list[Take], told: str) -> None:
    for number, take in enumerate(tqdm(takes, desc=told)):
        # a scene has a name of its own; the takes of a test set always come in the same order
        name = take.name if which in FIT_SETS else f"{number:05d}"
        path = spectrum_folder(cache, spectrum, which) / f"{name}.npz"
        if not path.exists():
            save_recording(path, spectrum, take)


def save_recording(path: Path, spectrum: Spectrum, take: Take) -> None:
    """Write the file `path` with a take's spectrogram, its true notes, its length in seconds and its name."""
    seconds = np.array(len(take.audio) / take.rate)
    levels = spectrum.of(take.audio, take.rate)
    _write(path, levels=levels, notes=take.notes, seconds=seconds, name=np.array(take.name))


def _write(path: Path, **arrays: npt.NDArray[Any]) -> None:
    """Write arrays into a file under another name, then rename the file, so that a reader never finds half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **arrays)
    part.replace(path)


def load_recordings(cache: Path, spectrum: Spectrum, which: str, most: int | None = None) -> list[LabelledRecording]:
    """Load and return all recordings of the set `which`, in the order of their file names.

    `most` leaves out the scenes with this number or a higher one, which an earlier run may have made.

    Raises UserError if `process-train` or `process-test` has not made them.
    """
    paths = sorted(spectrum_folder(cache, spectrum, which).glob("*.npz"))
    if most is not None:
        paths = [path for path in paths if int(path.stem.rpartition("-")[2]) < most]
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
    """Return the mean and the standard deviation of all training levels: one pair for all bins and recordings.

    Raises UserError if `process-train` has not made them.
    """
    path = spectrum_folder(cache, spectrum, "train").parent / "levels.json"
    if not path.is_file():
        raise UserError(f"{path} is missing: run with --action process-train.")
    about = json.loads(path.read_text())
    return about["mean"], about["deviation"]


def labels_of(recordings: list[LabelledRecording], spectrum: Spectrum, *, names: bool) -> list[Labels]:
    """Compute and return the labels of every recording, each [frames, 88 keys], or 12 note names if `names` is true.

    Raises UserError if labels have a wrong shape, type or range, or if a spectrogram has a wrong length.
    """
    labels = [frame_labels(r.notes, len(r.levels), spectrum.hop_s, spectrum.window_s, names=names) for r in recordings]
    width = labels[0].shape[1]
    check_alike(zip((r.name for r in recordings), labels, (len(r.levels) for r in recordings), strict=True), width)
    for recording in recordings:
        if len(recording.levels) != spectrum.frames(round(recording.seconds * spectrum.sample_rate)):
            raise UserError(f"The spectrogram of {recording.name} has a wrong length: process it again.")
    return labels
