"""Reads recordings with labels: public data sets in their published layout, or one's own pairs of sound and MIDI.

MusicNet: Thickstun, Harchaoui and Kakade, "Learning Features of Music from Scratch", ICLR 2017 (arXiv 1611.09827).
MAESTRO: Hawthorne et al., "Enabling Factorized Piano Music Modeling and Generation with the MAESTRO Dataset", ICLR
2019. Neither is part of the project's data. A person who has downloaded one can fit the older transcribers on it, and
measure the shipped transcriber with it. The shipped weights are never fitted on these data sets.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from device.errors import UserError
from device.files.midi.file import read_midi
from training.hearing_figures.takes import Take
from training.note_scores import Notes

DATASETS = ("musicnet", "maestro", "pairs")
"""Names of the layouts. `pairs` is a folder of NAME.wav or NAME.flac with NAME.mid beside it."""
MUSICNET_RATE = 44_100
"""Sample rate in Hz of MusicNet's label times, which are sample numbers."""
VELOCITY = 64
"""MIDI velocity of labels that have none."""
PIANO = 1
"""MusicNet's number of the piano (General MIDI, from 1)."""
SHARES = {"dev": 0.15, "test": 0.15}
"""Share of one's own pairs in each split. The rest of the pairs is for training."""


def dataset_takes(
    name: str, folder: Path, split: str, most: int | None = None, piano_only: bool = False
) -> Iterator[Take]:
    """Yield up to `most` recordings of a split (`train`, `dev` or `test`) of a data set, ordered by name.

    `piano_only` leaves out the recordings of MusicNet that have other instruments.

    Raises UserError if the folder does not have the layout, or if the split is empty.
    """
    pairs = {"musicnet": _musicnet, "maestro": _maestro, "pairs": _own_pairs}[name](folder, split)
    if piano_only and name == "musicnet":
        pairs = [pair for pair in pairs if piano_alone(pair[1])]
    if not pairs:
        raise UserError(f"{folder} has no {split} recordings in the layout of {name}.")
    for sound, labels in pairs[:most]:
        audio, rate = soundfile.read(sound, dtype="float32")
        mono = audio if audio.ndim == 1 else audio.mean(axis=1, dtype=np.float32)
        notes = _csv_notes(labels) if labels.suffix == ".csv" else midi_notes(labels)
        yield Take(sound.stem, mono, rate, notes[notes[:, 0] < len(mono) / rate])


def folder_of(corpus: str, data: Path, pairs: Path | None) -> Path:
    """Return the folder of a data set: `pairs` for one's own recordings, else the folder `corpus` in `data`.

    Raises UserError if there is no such folder, or if `corpus` is "pairs" and no folder `pairs` is given.
    """
    if corpus == "pairs" and pairs is None:
        raise UserError("--pairs FOLDER names the folder of NAME.wav or NAME.flac with NAME.mid.")
    folder = pairs if corpus == "pairs" and pairs is not None else data / corpus
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}: download {corpus} there, or name another --data.")
    return folder


def _musicnet(folder: Path, split: str) -> list[tuple[Path, Path]]:
    """Return the paths of sound and labels of each recording of a split: {train,test}_{data/*.wav,labels/*.csv}.

    MusicNet has no development split, so every seventh training recording belongs to `dev`. Raises UserError if a file
    of labels is missing.
    """
    kept = "test" if split == "test" else "train"
    sounds = sorted((folder / f"{kept}_data").glob("*.wav"))
    pairs = [(sound, folder / f"{kept}_labels" / f"{sound.stem}.csv") for sound in sounds]
    if missing := [labels for _, labels in pairs if not labels.is_file()]:
        raise UserError(f"{missing[0]} is missing: MusicNet has one file of labels for each recording.")
    if split == "test":
        return pairs
    return [pair for number, pair in enumerate(pairs) if (number % 7 == 6) == (split == "dev")]


def _csv_notes(path: Path) -> Notes:
    """Read a file of MusicNet's labels and return its notes, [n, 4]: onset and end in seconds, pitch, velocity.

    In the file, the columns start_time and end_time are sample numbers at 44.1 kHz. Raises UserError if a column is
    missing or a value is no number.
    """
    rows = []
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            try:
                times = (int(row["start_time"]) / MUSICNET_RATE, int(row["end_time"]) / MUSICNET_RATE)
                rows.append((*times, int(row["note"]), VELOCITY))
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(f"{path}: {error} is no column or number of MusicNet's labels.") from None
    return np.array(sorted(rows), np.float64).reshape(-1, 4)


def piano_alone(labels: Path) -> bool:
    """Return whether all notes in a file of MusicNet's labels are played by a piano."""
    with labels.open(newline="") as file:
        return {row["instrument"] for row in csv.DictReader(file)} == {str(PIANO)}


def _maestro(folder: Path, split: str) -> list[tuple[Path, Path]]:
    """Return the paths of sound and MIDI of each recording of a split. `dev` is MAESTRO's validation split.

    The names are read from maestro-vN.csv, or from maestro-vN.json if there is no such file. Raises UserError if both
    tables, a column or a named file are missing.
    """
    tables = sorted([*folder.glob("maestro-v*.csv"), *folder.glob("maestro-v*.json")], key=lambda path: path.suffix)
    if not tables:
        raise UserError(f"{folder} has neither maestro-vN.csv nor maestro-vN.json: it is not MAESTRO's folder.")
    with tables[0].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file)) if tables[0].suffix == ".csv" else _rows_of(json.load(file))
    wanted = {"dev": "validation"}.get(split, split)
    try:
        named = [(row["audio_filename"], row["midi_filename"]) for row in rows if row["split"] == wanted]
    except KeyError as error:
        raise UserError(f"{tables[0]} has no column {error}.") from None
    pairs = sorted((folder / sound, folder / midi) for sound, midi in named)
    if missing := [path for pair in pairs for path in pair if not path.is_file()]:
        raise UserError(f"{missing[0]} is missing, but {tables[0].name} names it.")
    return pairs


def _rows_of(table: object) -> list[dict[str, str]]:
    """Return the rows of MAESTRO's JSON, each as column -> value.

    Version 1 has a list of rows. Later versions have columns that map row numbers to values.
    """
    if isinstance(table, list):
        return table
    columns: dict[str, dict[str, str]] = dict(table) if isinstance(table, dict) else {}
    numbers = sorted(next(iter(columns.values()), {}), key=int)
    return [{name: column[number] for name, column in columns.items()} for number in numbers]


def _own_pairs(folder: Path, split: str) -> list[tuple[Path, Path]]:
    """Return the paths of sound and MIDI of a split of one's own pairs, which are files of the same name.

    The pairs are ordered by a checksum of their names. So the same folder is always split in the same way, but not by
    the alphabet. With three pairs or more no split is empty. Raises UserError if a sound has no MIDI file, or if there
    are fewer than three pairs.
    """
    sounds = sorted([*folder.glob("*.wav"), *folder.glob("*.flac")])
    pairs = [(sound, sound.with_suffix(".mid")) for sound in sounds]
    if missing := [midi for _, midi in pairs if not midi.is_file()]:
        raise UserError(f"{missing[0]} is missing: each sound needs a MIDI file of the same name.")
    if len(pairs) < 3:
        raise UserError(f"{folder} has {len(pairs)} pairs of sound and MIDI: three are needed, one for each split.")
    ordered = sorted(pairs, key=lambda pair: zlib.crc32(pair[0].stem.encode()))
    tests, devs = (max(1, round(SHARES[name] * len(ordered))) for name in ("test", "dev"))
    parts = {"test": ordered[:tests], "dev": ordered[tests : tests + devs], "train": ordered[tests + devs :]}
    return sorted(parts[split])


def midi_notes(path: Path) -> Notes:
    """Return the notes of a MIDI file, [n, 4]: onset and end in seconds, pitch, velocity.

    A note ends when its key goes up. The pedal does not count. A note whose key never goes up ends with the file's last
    note.
    """
    notes = [note for part in read_midi(path).parts for note in part.notes]
    end_s = max((note.offset_s or note.onset_s for note in notes), default=0.0)
    rows = [(n.onset_s, n.offset_s if n.offset_s is not None else end_s, n.pitch, n.velocity) for n in notes]
    return np.array(sorted(rows), np.float64).reshape(-1, 4)
