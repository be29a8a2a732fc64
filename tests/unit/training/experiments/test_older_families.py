"""The older transcribers: nets, phases, decoding, and the one command that fits and measures them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

os.environ.setdefault("KERAS_BACKEND", "jax")

from training.__main__ import main
from training.experiments.older_transcribers.cache import (
    labels_of,
    load_recordings,
    save_recording,
    spectrum_folder,
    write_statistics,
)
from training.experiments.older_transcribers.decode import Decoding, decode, fit_decoding, onset_f1
from training.experiments.older_transcribers.fit import phase_target, rate_at
from training.experiments.older_transcribers.nets import build, positions
from training.experiments.older_transcribers.setup import FITTED, NotesSetup
from training.experiments.older_transcribers.spectra import Spectrum
from training.hearing_figures.frame_scores import FrameCount, frame_labels
from training.hearing_figures.takes import Take

DATA = Path(os.environ.get("LEFTHAND_DATA", "../shared/data"))
SPECTRUM = Spectrum("log", 8_000, 256, 12)
READS = ("--sr", "8000", "--hop-length", "256", "--bins-per-octave", "12", "--spectrum", "log")


def sines(seed: int, seconds: float = 6.0, rate: int = 8_000) -> Take:
    """Decaying sines of a few keys one after another."""
    rng = np.random.default_rng(seed)
    audio, notes, at = np.zeros(int(seconds * rate), np.float32), [], 0.2
    while at < seconds - 0.6:
        pitch, held = int(rng.choice([57, 62, 67, 72])), float(rng.uniform(0.25, 0.5))
        t = np.arange(int(held * rate)) / rate
        first = round(at * rate)
        tone = 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t) * np.exp(-2 * t)
        audio[first : first + len(t)] += tone.astype(np.float32)
        notes.append((at, at + held, pitch, 64))
        at += held + float(rng.uniform(0.2, 0.4))
    return Take(f"sines {seed}", audio, rate, np.array(notes, np.float64))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with spectrograms of sines."""
    folder = tmp_path_factory.mktemp("cache")
    for which, seeds in (("train", range(12)), ("dev", range(20, 22)), ("right", range(30, 32))):
        for seed in seeds:
            save_recording(spectrum_folder(folder, SPECTRUM, which) / f"{seed}.npz", SPECTRUM, sines(seed))
    write_statistics(folder, SPECTRUM)
    return folder


def said(*arguments: object, code: int = 0) -> str:
    """The output of `python -m training notes`."""
    ran = CliRunner().invoke(main, ["notes", *map(str, arguments)], catch_exceptions=False)
    assert ran.exit_code == code, ran.output
    return ran.output


def test_sines_are_learnt_and_heard_first_whether_then_what(cache: Path) -> None:
    chosen = (*READS, "--only-note-names", "--cache", cache, "--batch-seconds", 2, "--c", 2, "--phases", 2)
    said("--action", "train-val", *chosen, "--num-epochs", 8, "--lr", 0.01, "--batch-size", 4)
    told = said("--action", "test", "--test-dev", *chosen, "--on", "right", "--thresholds", 0.3, 0.5)
    figures = told.splitlines()[1].replace(";", "").split()
    assert figures[0] == "right"
    assert float(figures[figures.index("on@50") + 1]) > 90
    assert float(figures[figures.index("frame") + 1]) > 80
    assert "threshold 0.3" in told and "threshold 0.5" in told and "<= 2 wrong keys" in told
    kept = cache / "fits" / "notes" / "cnn-log-8000-256-12-12-two-phases-dev"
    assert {"silence.weights.h5", "pitch.weights.h5", "decoding.json"} <= {path.name for path in kept.iterdir()}


@pytest.mark.parametrize("family", FITTED)
def test_what_lies_in_the_padding_is_not_heard(family: str) -> None:
    model = build(family, 12, 24, 3, 2)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 12, 24)).astype(np.float32)
    inside = np.ones((2, 12), np.float32)
    inside[0, 8:], inside[1, :3] = 0, 0
    other = np.where(inside[..., None] > 0, x, rng.normal(size=x.shape)).astype(np.float32)
    heard, again = (np.asarray(model({"x": a, "inside": inside})) for a in (x, other))
    assert heard.shape == (2, 12, 3)
    np.testing.assert_allclose(heard[inside > 0], again[inside > 0], atol=1e-5)


def test_positions_differ_from_frame_to_frame() -> None:
    at = positions(50, 16)
    assert at.shape == (50, 16) and len(np.unique(at.round(6), axis=0)) == 50


def test_in_two_phases_the_pitches_are_learnt_only_where_something_sounds() -> None:
    labels = np.zeros((4, 88), np.uint8)
    labels[1, 5] = labels[3, 7] = 1
    answers = np.array([True, True, True, False])
    targets, weights = phase_target(labels, answers, "silence", 2)
    np.testing.assert_array_equal(targets[:, 0], [0, 1, 0, 1])
    np.testing.assert_array_equal(weights, [1, 1, 1, 0])
    np.testing.assert_array_equal(phase_target(labels, answers, "pitch", 2)[1], [0, 1, 0, 0])
    np.testing.assert_array_equal(phase_target(labels, answers, "pitch", 1)[1], [1, 1, 1, 0])


def test_the_rate_falls_at_milestones() -> None:
    setup, rate, rates = NotesSetup(gamma=0.1, milestones=(2, 3)), 1.0, []
    for epoch in range(5):
        rate = rate_at(setup, epoch, rate)
        rates.append(rate)
    assert rates == pytest.approx([1, 1, 0.1, 0.01, 0.01])


@given(st.lists(st.tuples(st.integers(0, 20), st.floats(0.15, 0.5)), min_size=1, max_size=12))
def test_labels_are_decoded_to_the_notes_that_made_them(keys: list[tuple[int, float]]) -> None:
    rows, at = [], 0.1
    for key, held in keys:
        rows.append((at, at + held, 40 + key, 64.0))
        at += held + SPECTRUM.window_s + 0.1
    notes = np.array(rows)
    frames = int(at / SPECTRUM.hop_s) + 10
    labels = frame_labels(notes, frames, SPECTRUM.hop_s, SPECTRUM.window_s, names=False)
    found = decode(labels.astype(np.float32), Decoding(), SPECTRUM)
    assert len(found) == len(notes) and np.array_equal(found[:, 2], notes[:, 2])
    np.testing.assert_allclose(found[:, :2], notes[:, :2], atol=SPECTRUM.hop_s + 1e-9)


def test_the_threshold_and_the_shift_that_hear_best_are_taken() -> None:
    notes = np.array([(0.5 + 0.6 * i, 0.8 + 0.6 * i, 60 + i, 64.0) for i in range(8)])
    late = notes + [0.1, 0.1, 0, 0]
    labels = frame_labels(late, 400, SPECTRUM.hop_s, SPECTRUM.window_s, names=False).astype(np.float32)
    posteriors = np.where(labels > 0, 0.6, 0.35).astype(np.float32)
    decoding, f1 = fit_decoding([posteriors], [notes], (0.3, 0.5, 0.7), SPECTRUM)
    assert f1 == 1.0 and decoding.threshold == 0.5
    assert decoding.shift_s == pytest.approx(-0.1, abs=SPECTRUM.hop_s)
    assert onset_f1(decode(posteriors, Decoding(0.5), SPECTRUM), notes) == 0.0


def test_frames_are_right_within_the_errors_allowed() -> None:
    labels = np.zeros((4, 12), np.uint8)
    labels[:, 0] = 1
    posteriors = labels * np.float32(0.9)
    posteriors[1, 1:3], posteriors[2, 0] = 0.9, 0.1
    count = FrameCount(0.5)
    count.add(posteriors, labels)
    assert [count.accuracy(n) for n in (0, 1, 2)] == [0.5, 0.75, 1.0]
    assert count.f1 == pytest.approx(2 * 3 / (2 * 3 + 2 + 1))


def test_optuna_tries_configurations_and_a_storage_is_shared(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    import training.experiments.older_transcribers.search as notes_search

    monkeypatch.setattr(notes_search, "process_fit", lambda *_: None)
    monkeypatch.setattr(notes_search, "RATES", (8_000,))
    monkeypatch.setattr(notes_search, "HOPS_S", (0.032,))
    monkeypatch.setattr(notes_search, "BINS", (12,))
    monkeypatch.setattr(notes_search, "KINDS_OF", {"cnn": ("log",)})
    url = f"sqlite:///{cache / 'study.db'}"
    chosen = ("--action", "search", "--storage", url, "--cache", cache, "--num-epochs", 1, "--only-note-names")
    chosen = (*chosen, "--scenes", 99, "--dev-scenes", 99)
    assert "1 trials" in said(*chosen, "--trials", 1, "--batch-seconds", 2)
    assert "1 trials" in said(*chosen, "--trials", 0, "--pruner", "hyperband")


def test_the_spectrograms_of_a_set_are_read_back(cache: Path) -> None:
    recordings = load_recordings(cache, SPECTRUM, "dev")
    assert [r.name for r in recordings] == ["sines 20", "sines 21"]
    np.testing.assert_array_equal(recordings[0].notes, sines(20).notes)
    assert recordings[0].seconds == 6.0


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (("--action", "train"), "run with --action process-train"),
        (("--action", "test"), "run with --action train or train-val first"),
        (("--action", "train", "--family", "pyin"), "its only action is test"),
        (("--action", "process-train"), "python -m training banks"),
        (("--action", "process-test"), "python -m training banks"),
        (("--action", "train", "--sr", "100"), "--sr 100"),
        (("--action", "train", "--hop-length", "0"), "--hop-length 0"),
        (("--action", "train", "--batch-seconds", "0.01"), "shorter than four frames"),
        (("--action", "train", "--c", "0"), "c must be above 0"),
        (("--action", "train", "--thresholds", "0.5", "1.5"), "1.5 is not in the range"),
        (("--action", "train", "--milestones"), "is not a valid integer"),
        (("--action", "train", "--on", "--c", "3"), "is not one of"),
        (("--action", "train", "--phases", "3"), "3 is not in the range"),
        (("--action", "learn"), "'learn' is not one of"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    told = said(*arguments, "--cache", tmp_path, "--data", tmp_path, code=2)
    assert sentence in told and "Traceback" not in told


@pytest.mark.data
def test_a_real_recording_has_labels_alike_its_spectrogram(tmp_path: Path) -> None:
    path = sorted((DATA / "maps-enstdkcl").glob("*.flac"))[0]
    audio, rate = soundfile.read(path, frames=20 * 16_000, dtype="float32")
    notes = np.loadtxt(path.with_suffix(".tsv"), comments="#", ndmin=2)
    save_recording(spectrum_folder(tmp_path, SPECTRUM, "maps") / "0.npz", SPECTRUM, Take(path.stem, audio, rate, notes))
    recordings = load_recordings(tmp_path, SPECTRUM, "maps")
    labels = labels_of(recordings, SPECTRUM, names=False)[0]
    assert labels.shape == (len(recordings[0].levels), 88) and 0 < labels.mean() < 0.2


def test_without_recordings_the_real_piano_is_refused(tmp_path: Path) -> None:
    told = said("--action", "process-test", "--on", "maps", "--cache", tmp_path, "--data", tmp_path, code=2)
    assert "no recordings" in told


def test_scenes_of_an_earlier_and_larger_run_are_left_out(tmp_path: Path) -> None:
    for corpus in ("pop909", "invented"):
        for number in range(4):
            path = spectrum_folder(tmp_path, SPECTRUM, "train") / f"{corpus}-{number:05d}.npz"
            save_recording(path, SPECTRUM, replace(sines(number), name=f"{corpus}-{number:05d}"))
    names = {r.name for r in load_recordings(tmp_path, SPECTRUM, "train", 2)}
    assert names == {"pop909-00000", "pop909-00001", "invented-00000", "invented-00001"}
    assert len(load_recordings(tmp_path, SPECTRUM, "train")) == 8
