"""How far the probabilities of an older transcriber can be trusted: one net, dropout that stays on, an ensemble."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

os.environ.setdefault("KERAS_BACKEND", "jax")

from training.__main__ import main
from training.experiments.older_transcribers.cache import (
    LabelledRecording,
    save_recording,
    spectrum_folder,
    write_statistics,
)
from training.experiments.older_transcribers.doubt import PASSES, believed, calibration_error, figures_of, finds_errors
from training.experiments.older_transcribers.nets import build
from training.experiments.older_transcribers.spectra import Spectrum
from training.hearing_figures.takes import Take

SPECTRUM = Spectrum("log", 8_000, 256, 12)
READS = ("--sr", "8000", "--hop-length", "256", "--bins-per-octave", "12", "--spectrum", "log")


def tone(seed: int) -> Take:
    """One second of a key, after half a second of silence."""
    pitch, t = 57 + 3 * (seed % 5), np.arange(8_000) / 8_000
    audio = np.concatenate([np.zeros(4_000), 0.3 * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t)])
    return Take(f"tone {seed}", audio.astype(np.float32), 8_000, np.array([(0.5, 1.5, pitch, 64)], np.float64))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with spectrograms of a few tones."""
    for which, seeds in (("train", range(6)), ("dev", range(6, 8)), ("right", range(8, 11))):
        for seed in seeds:
            save_recording(spectrum_folder(tmp_path, SPECTRUM, which) / f"{seed}.npz", SPECTRUM, tone(seed))
    write_statistics(tmp_path, SPECTRUM)
    return tmp_path


def said(*arguments: object) -> str:
    ran = CliRunner().invoke(main, ["notes", *map(str, arguments)], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_dropout_that_stays_on_gives_other_answers_with_the_same_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = {"x": rng.normal(size=(1, 12, 24)).astype(np.float32), "inside": np.ones((1, 12), np.float32)}
    for family in ("cnn", "transformer"):
        usual, dropping = (build(family, 12, 24, 3, 2, dropping=on) for on in (False, True))
        usual.save_weights(tmp_path / f"{family}.weights.h5")
        dropping.load_weights(tmp_path / f"{family}.weights.h5")
        for one, other in zip(usual.trainable_variables, dropping.trainable_variables, strict=True):
            np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        first, again = (usual.predict(x, verbose=0) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        first, again = (dropping.predict(x, verbose=0) for _ in range(2))
        assert np.abs(first - again).max() > 1e-4


def test_calibration_and_doubt_are_what_they_say() -> None:
    half, right = np.full(8, 0.5, np.float32), np.array([True, False] * 4)
    assert calibration_error(half, right) == pytest.approx(0.0)
    assert calibration_error(np.full(8, 0.9, np.float32), right) == pytest.approx(0.4)
    assert np.isnan(calibration_error(half[:0], right[:0]))
    wrong = np.array([False, False, True, True])
    assert finds_errors(np.array([0.1, 0.2, 0.3, 0.4], np.float32), wrong) == 1.0
    assert finds_errors(np.full(4, 0.1, np.float32), wrong) == 0.5
    assert np.isnan(finds_errors(np.full(2, 0.1, np.float32), wrong[:2]))
    runs = [lambda levels, told=told: np.full((len(levels), 2), told, np.float32) for told in (0.2, 0.6)]
    recording = LabelledRecording("a", np.zeros((3, 4), np.uint8), np.zeros((0, 4)), 1.0)
    belief = believed(runs, [recording, recording], 2)
    assert belief.mean.shape == (6, 2)
    np.testing.assert_allclose(belief.mean, 0.4, atol=1e-6)
    np.testing.assert_allclose(belief.variance, 0.04, atol=1e-6)
    labels = np.zeros((6, 2), np.uint8)
    labels[:, 0] = 1
    figures = figures_of(belief, labels, np.ones((6, 2), bool))
    assert figures["likelihood"] == pytest.approx(-np.log(0.4) - np.log(0.6), abs=1e-5)
    assert figures["brier"] == pytest.approx((0.6**2 + 0.4**2) / 2, abs=1e-6)


def test_one_net_dropout_and_an_ensemble_are_compared_on_the_same_recordings(cache: Path, tmp_path: Path) -> None:
    chosen = (*READS, "--only-note-names", "--cache", cache, "--batch-seconds", 2, "--c", 1)
    asked = ("--num-epochs", 1, "--lr", 0.01, "--batch-size", 4, "--members", 2, "--on", "right", "--out", tmp_path)
    told = said("--action", "doubt", *chosen, *asked)
    rows = [line.split(" | ") for line in told.splitlines() if line.startswith("| ")]
    assert [row[0] for row in rows] == ["| way", "| one net", f"| dropout, {PASSES} runs", "| ensemble of 2"]
    assert [row[1] for row in rows[1:]] == ["1", "1", "2"]
    assert len({tuple(row[2:7]) for row in rows[1:]}) == 3, "dropout or the second net changes nothing"
    html = (tmp_path / "doubt.html").read_text()
    assert "<img" in html and "one net" in html
    fits = {path.name for path in (cache / "fits" / "notes").glob("cnn-*")}
    assert fits == {"cnn-log-8000-256-12-12-dev", "cnn-log-8000-256-12-12-seed-2-dev"}
