"""MusicNet, MAESTRO and one's own pairs, in miniatures of their layouts, as corpora of the older transcribers."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

os.environ.setdefault("KERAS_BACKEND", "jax")

from device.errors import UserError
from device.files.midi.file import read_midi
from training.__main__ import main
from training.experiments.older_transcribers.cache import LabelledRecording
from training.experiments.older_transcribers.fit import Normal
from training.experiments.older_transcribers.report import confusion, reliability
from training.experiments.older_transcribers.search import best_f1, best_of, study_name, suggest, told
from training.experiments.older_transcribers.setup import NotesSetup
from training.experiments.older_transcribers.spectra import Spectrum
from training.hearing_figures.datasets import dataset_takes, midi_notes
from training.hearing_figures.frame_scores import FrameCount, average_precision, frame_labels, undelayed

RATE = 8_000
READS = ("--sr", "8000", "--hop-length", "256", "--bins-per-octave", "12", "--spectrum", "log", "--batch-seconds", "1")
NOTES = ((0.1, 0.5, 60), (0.6, 1.0, 64), (1.1, 1.5, 67))


def sound(path: Path, rate: int = RATE, channels: int = 1, shift: int = 0) -> None:
    """Three notes as sines."""
    audio = np.zeros(int(1.7 * rate), np.float32)
    for on, off, pitch in NOTES:
        t = np.arange(int((off - on) * rate)) / rate
        tone = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch + shift - 69) / 12) * t)
        audio[int(on * rate) : int(on * rate) + len(t)] += tone.astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([audio] * channels, axis=1), rate)


def midi(path: Path, shift: int = 0) -> None:
    """The same three notes in MIDI, at 500 ms a quarter."""
    file = mido.MidiFile(ticks_per_beat=500)
    track, at = mido.MidiTrack(), 0
    for on, off, pitch in NOTES:
        for kind, seconds in (("note_on", on), ("note_off", off)):
            tick = round(1000 * seconds)
            track.append(mido.Message(kind, note=pitch + shift, velocity=70, time=tick - at))
            at = tick
    file.tracks.append(track)
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(str(path))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Miniatures of MusicNet and MAESTRO in one data folder, and pairs beside them."""
    folder = tmp_path_factory.mktemp("data")
    for split, names in (("train", range(1727, 1735)), ("test", (2191, 2298))):
        for name in names:
            sound(folder / "musicnet" / f"{split}_data" / f"{name}.wav", 44_100, 2)
            labels = folder / "musicnet" / f"{split}_labels" / f"{name}.csv"
            labels.parent.mkdir(parents=True, exist_ok=True)
            with labels.open("w", newline="") as file:
                rows = csv.writer(file)
                rows.writerow(["start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value"])
                for on, off, pitch in NOTES:
                    instrument = 41 if name == 2298 and pitch == 67 else 1
                    rows.writerow([int(44_100 * on), int(44_100 * off), instrument, pitch, 0, 1, "Quarter"])
    table = []
    for number, split in enumerate(("train", "train", "validation", "test")):
        names = {"audio_filename": f"2004/{number}.wav", "midi_filename": f"2004/{number}.midi"}
        sound(folder / "maestro" / names["audio_filename"], shift=number)
        midi(folder / "maestro" / names["midi_filename"], shift=number)
        table.append({"canonical_composer": "A", "split": split, "year": "2004", **names})
    with (folder / "maestro" / "maestro-v3.0.0.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)
    for number in range(6):
        sound(folder / "own" / f"take-{number}.{'flac' if number % 2 else 'wav'}", shift=number)
        midi(folder / "own" / f"take-{number}.mid", shift=number)
    return folder


def said(*arguments: object, code: int = 0) -> str:
    ran = CliRunner().invoke(main, ["notes", *map(str, arguments)], catch_exceptions=False)
    assert ran.exit_code == code, ran.output
    return ran.output


def test_musicnet_is_read_in_its_layout(data: Path) -> None:
    folder = data / "musicnet"
    test = list(dataset_takes("musicnet", folder, "test"))
    assert [take.name for take in test] == ["2191", "2298"] and test[0].rate == 44_100
    assert test[0].audio.ndim == 1
    np.testing.assert_allclose(test[0].notes[:, :3], NOTES, atol=1e-4)
    assert [take.name for take in dataset_takes("musicnet", folder, "test", piano_only=True)] == ["2191"]
    train, dev = (list(dataset_takes("musicnet", folder, split)) for split in ("train", "dev"))
    assert len(train) == 7 and [take.name for take in dev] == ["1733"]
    (folder / "train_labels" / "1727.csv").rename(folder / "moved.csv")
    with pytest.raises(UserError, match=r"1727\.csv is missing"):
        next(dataset_takes("musicnet", folder, "train"))
    (folder / "moved.csv").rename(folder / "train_labels" / "1727.csv")
    with pytest.raises(UserError, match="no test recordings"):
        next(dataset_takes("musicnet", data / "own", "test"))


def test_maestro_is_read_by_its_csv_and_by_its_json(data: Path, tmp_path: Path) -> None:
    folder = data / "maestro"
    names = {split: [t.name for t in dataset_takes("maestro", folder, split)] for split in ("train", "dev", "test")}
    assert names == {"train": ["0", "1"], "dev": ["2"], "test": ["3"]}
    take = next(dataset_takes("maestro", folder, "test"))
    np.testing.assert_allclose(take.notes, [(on, off, pitch + 3, 70) for on, off, pitch in NOTES], atol=2e-3)
    with (folder / "maestro-v3.0.0.csv").open() as file:
        rows = list(csv.DictReader(file))
    for kept in (rows, {name: {str(i): row[name] for i, row in enumerate(rows)} for name in rows[0]}):
        for link in ("2004",):
            (tmp_path / link).exists() or (tmp_path / link).symlink_to(folder / link)
        (tmp_path / "maestro-v2.0.0.json").write_text(json.dumps(kept))
        assert [t.name for t in dataset_takes("maestro", tmp_path, "train")] == ["0", "1"]
    with pytest.raises(UserError, match="not MAESTRO's folder"):
        next(dataset_takes("maestro", data / "own", "test"))


def test_pairs_are_split_by_name_and_checked(data: Path, tmp_path: Path) -> None:
    own = data / "own"
    parts = [{t.name for t in dataset_takes("pairs", own, split)} for split in ("train", "dev", "test")]
    assert [len(part) for part in parts] == [4, 1, 1] and len(set.union(*parts)) == 6
    assert midi_notes(own / "take-2.mid")[0, 2] == 62
    sound(tmp_path / "a.wav")
    with pytest.raises(UserError, match=r"a\.mid is missing"):
        next(dataset_takes("pairs", tmp_path, "train"))
    midi(tmp_path / "a.mid")
    with pytest.raises(UserError, match="three are needed"):
        next(dataset_takes("pairs", tmp_path, "train"))


def test_the_four_steps_show_what_they_made_and_end_in_a_fit(data: Path, tmp_path: Path) -> None:
    chosen = (*READS, "--pairs", data / "own", "--cache", tmp_path, "--c", 1, "--only-note-names")
    assert "run with --action extract-cqt first" in said("--action", "midi-to-labels", *chosen, code=2)
    assert "6 spectrograms" in said("--action", "extract-cqt", *chosen)
    labels = said("--action", "midi-to-labels", *chosen)
    assert "take-0: 3 notes, (54, 12) labels" in labels
    built = said("--action", "build-dataset", *chosen)
    assert "train: 4 recordings, chunks (8, 37, " in built and "pairs: 1 recordings" in built
    picture = re.search(r"\S*labels-over-cqt\.png", built)
    assert picture and Path(picture[0]).stat().st_size > 5_000
    fitted = said("--action", "train-model", *chosen, "--num-epochs", 2, "--lr", 0.01)
    assert "best validation loss 0." in fitted
    folder = re.search(r"(\S+): best validation loss", fitted)
    assert folder and list((Path(folder[1]) / "tensorboard" / "pitch").glob("*/events*"))
    tested = said("--action", "test", "--test-dev", *chosen, "--thresholds", 0.1, 0.3)
    assert "pairs (1 recordings" in tested and "average precision of frames" in tested and ", P " in tested


def test_a_family_is_fitted_and_tested_on_musicnet(data: Path, tmp_path: Path) -> None:
    chosen = (*READS, "--corpus", "musicnet", "--data", data, "--cache", tmp_path, "--c", 1, "--only-note-names")
    said("--action", "process-train", *chosen)
    said("--action", "process-test", *chosen)
    said("--action", "train-val", *chosen, "--num-epochs", 1)
    assert "musicnet (2 recordings" in said("--action", "test", "--test-dev", *chosen)
    assert "There is no folder" in said("--action", "process-train", "--corpus", "musicnet", "--data", tmp_path, code=2)
    assert "--pairs FOLDER names" in said("--action", "process-train", "--corpus", "pairs", code=2)


def test_the_shipped_transcriber_is_measured_on_a_data_set(data: Path, tmp_path: Path) -> None:
    line = said("--action", "test", "--family", "shipped", "--on", "maestro", "--data", data, "--cache", tmp_path)
    assert "maestro (1 recordings" in line and "average precision of frames" in line


def test_evaluate_hearing_measures_notes_and_frames_of_the_data_sets(data: Path, tmp_path: Path) -> None:
    asked = ["evaluate", "hearing", "--data", str(data), "--no-peers", "--piano-only", "--threshold", "0.4"]
    sets = ["--on", "musicnet", "--on", "maestro", "--on", "pairs", "--pairs", str(data / "own")]
    ran = CliRunner().invoke(main, [*asked, *sets, "--json", str(tmp_path / "means.json")], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    means = json.loads((tmp_path / "means.json").read_text())
    assert set(means) == {"musicnet", "maestro", "pairs"}
    for name, figures in means.items():
        assert f"{name}, test split, 1 recordings, all notes" in ran.output
        assert 0 < figures["frames"]["average_precision"] <= 1
        assert f"average precision of frames {100 * figures['frames']['average_precision']:.1f}" in ran.output
        assert set(figures["frames"]) == {"average_precision", "precision at 0.4", "recall at 0.4"}
        assert 0 <= figures["lefthand"]["onset_50"] <= 1
    # the three notes are sines, and the transcriber hears the frames of most of them
    assert means["musicnet"]["frames"]["average_precision"] > 0.5
    both = CliRunner().invoke(main, [*asked[:-3], "--threshold", "0.4", "--on", "musicnet"], catch_exceptions=False)
    assert "musicnet, test split, 2 recordings" in both.output
    missing = CliRunner().invoke(main, ["evaluate", "hearing", "--on", "maestro", "--data", str(tmp_path)])
    assert missing.exit_code == 2 and "There is no folder" in missing.output and "download maestro" in missing.output


def test_a_note_beyond_the_keys_of_a_piano_labels_no_key() -> None:
    notes = np.array([(0.0, 0.1, 20, 64), (0.0, 0.1, 109, 64), (0.0, 0.1, 21, 64)])
    labels = frame_labels(notes, 10, 0.016, 0.016, names=False)
    assert np.flatnonzero(labels.any(axis=0)).tolist() == [0]


def test_average_precision_is_the_share_of_right_ones_among_the_likelier() -> None:
    labels = [np.array([[1, 0], [1, 0]], np.uint8)]
    assert average_precision([np.array([[0.9, 0.1], [0.8, 0.2]], np.float32)], labels) == 1.0
    # ranked: right, wrong, right, wrong: (1 + 2 / 3) / 2
    assert average_precision([np.array([[0.9, 0.8], [0.7, 0.1]], np.float32)], labels) == pytest.approx(5 / 6)
    with pytest.raises(UserError, match="No key sounds"):
        average_precision([np.zeros((1, 2), np.float32)], [np.zeros((1, 2), np.uint8)])


def test_precision_and_recall_of_frames() -> None:
    count = FrameCount(0.5)
    assert (count.precision, count.recall) == (1.0, 1.0)
    count.add(np.array([[0.9, 0.9, 0.1, 0.1]], np.float32), np.array([[1, 0, 1, 0]], np.uint8))
    assert (count.precision, count.recall) == (0.5, 0.5)


def test_a_delayed_posterior_moves_back_to_its_frame() -> None:
    posteriors = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.testing.assert_array_equal(undelayed(posteriors, np.array([0, 2])), [[0, 5], [2, 7], [4, 0], [6, 0]])


def test_the_report_compares_all_systems_in_pictures_and_midi(data: Path, tmp_path: Path) -> None:
    chosen = (*READS, "--pairs", data / "own", "--cache", tmp_path / "cache", "--out", tmp_path / "out")
    empty = said("--action", "report", *chosen)
    assert "left out: learning curves" in empty and "shipped" in empty.splitlines()[0]
    fitted = (*chosen, "--c", 1, "--only-note-names")
    said("--action", "process-train", *fitted)
    said("--action", "train-val", *fitted, "--num-epochs", 1)
    assert "cnn-log-8000-256-12-12-dev, shipped" in said("--action", "report", *chosen)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"index.html", "shipped.mid", "cnn-log-8000-256-12-12-dev.mid"}
    html = (tmp_path / "out" / "index.html").read_text()
    assert html.count("<img") == 5 and "too few" in html
    parts = {part.name: part.notes for part in read_midi(tmp_path / "out" / "shipped.mid").parts}
    assert [note.pitch for note in parts["original"]] == [
        int(pitch) for *_, pitch, _ in next(dataset_takes("pairs", data / "own", "test")).notes
    ]


def test_missed_and_false_names_are_confused_and_silence_is_a_class() -> None:
    wanted, heard = np.zeros((4, 12), bool), np.zeros((4, 12), bool)
    wanted[0, 0] = heard[0, 0] = True
    wanted[1, 0] = heard[1, 4] = True
    wanted[2, 7] = True
    matrix = confusion(wanted, heard)
    assert (matrix[0, 0], matrix[0, 4], matrix[7, 12], matrix[12, 12], matrix.sum()) == (1, 1, 1, 1, 4)
    assert reliability(10 * np.eye(13))[0] is None and reliability(40 * np.eye(13))[0] == 1.0


def test_the_best_of_a_study_is_fitted(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna")
    url = f"sqlite:///{tmp_path / 'search.db'}"
    setup = NotesSetup("crnn", epochs=7)
    with pytest.raises(UserError, match="run --action search"):
        best_of(url, setup)
    study = optuna.create_study(study_name=study_name(setup), storage=url, direction="maximize")
    for value, rate in ((0.2, 1e-3), (0.4, 2e-3)):
        fixed = {"sr": 8_000, "hop_s": 0.032, "spectrum": "log", "bins_per_octave": 24, "optimiser": "adam"}
        fixed |= {"lr": rate, "batch_size": 16, "c": 3, "phases": 2}
        study.enqueue_trial(fixed)

        def objective(trial: Any, value: float = value) -> float:
            suggest(trial, setup)
            trial.set_user_attr("val_loss", 0.1)
            return value

        study.optimize(objective, n_trials=1)
    best = best_of(url, setup)
    assert (best.lr, best.batch, best.c, best.phases, best.epochs) == (2e-3, 16, 3, 2, 7)
    assert (best.spectrum.kind, best.spectrum.hop) == ("log", 256)
    assert told(study).splitlines()[1].startswith("  40.0  0.1000  {")


class Unsure:
    """A net that gives .2 to the name C where the first bin is loud, and .05 elsewhere. It never reaches .5."""

    def predict(self, x: dict[str, Any], **_: Any) -> Any:
        share = np.full((*x["x"].shape[:2], 12), 0.05)
        share[..., 0] = np.where(x["x"][..., 0] > 0, 0.2, 0.05)
        return np.log(share / (1 - share))


def test_a_search_judges_a_net_at_its_best_threshold() -> None:
    setup = NotesSetup(spectrum=Spectrum("log", 8_000, 256, 12), names=True, batch_seconds=1.0)
    notes = np.array([(0.5, 1.0, 60, 64), (1.5, 1.8, 72, 64)])
    spectrum, frames = setup.spectrum, 90
    labels = frame_labels(notes, frames, spectrum.hop_s, spectrum.window_s, names=True)
    levels = np.zeros((frames, spectrum.bins), np.uint8)
    levels[:, 0] = 255 * labels[:, 0]
    dev = [LabelledRecording("a", levels, notes, frames * spectrum.hop_s)]
    assert best_f1([Unsure()], setup, Normal(0.0, 1.0), dev) == 1.0
