"""The class-room experiment: its sounds, its features, its classifiers, their matrices and their reliability."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import tests.unit.helpers.numba_lazily  # noqa: F401
from device.errors import UserError
from training.experiments.classroom import classes
from training.experiments.classroom.classes import Judged, confusion, embedded, reliability
from training.experiments.classroom.features import FEATURES
from training.experiments.classroom.lesson import lesson
from training.experiments.classroom.sounds import RATE, make, note, pitches_of

NAMES = ("silence", "C", "E", "G")


def test_a_class_is_silence_a_note_or_a_key() -> None:
    assert pitches_of("silence") == [] and pitches_of("C4") == [60] and pitches_of("Bb3") == [58]
    assert pitches_of("F#") == [54, 66, 78]
    for wrong in ("H", "c", "C44", "noise"):
        with pytest.raises(UserError, match="There is no class"):
            pitches_of(wrong)
    for few in (("C",), ("C", "C")):
        with pytest.raises(UserError, match="two or more different classes"):
            make(few, 1, 1)


def test_a_sound_has_the_pitch_of_its_class_and_comes_again_with_its_seed() -> None:
    sound = note(69, np.random.default_rng(1))
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 4 * RATE))
    assert np.argmax(spectrum[: 4 * 600]) / 4 == pytest.approx(440, rel=0.02)
    first, again = make(NAMES, 3, 5), make(NAMES, 3, 5)
    assert np.array_equal(first.audio, again.audio) and np.bincount(first.classes).tolist() == [3, 3, 3, 3]
    quiet = np.abs(first.audio[first.classes == 0]).max()
    assert quiet < 0.5


def test_features_have_their_sizes_and_differ_between_notes() -> None:
    sounds = [note(pitch, np.random.default_rng(1)) for pitch in (60, 67)]
    for name, size in (("cqt", 60), ("mfcc", 40), ("lpc", 33)):
        low, high = (FEATURES[name](sound) for sound in sounds)
        assert low.shape == (size,) and np.isfinite(low).all() and not np.allclose(low, high)


def test_the_classifiers_are_compared_and_the_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MEMBERS", 2)
    told = lesson("classes", NAMES, 1, tmp_path, 12, 6)
    lines = dict(line.strip().split(": ") for line in told.splitlines() if line.startswith("  ") and ": " in line)
    assert set(classes.CLASSIFIERS) <= set(lines)
    assert float(lines["net, one phase"]) > 60 and float(lines["net, two phases"]) > 60
    assert (tmp_path / "classes.html").read_text().count("<img") == len(classes.CLASSIFIERS) + 2
    assert "net, two phases" not in lesson("classes", ("C4", "D4"), 1, tmp_path, 6, 3)


def test_a_matrix_counts_rows_as_played() -> None:
    matrix = confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2]), 3)
    np.testing.assert_array_equal(matrix, [[1, 1, 0], [0, 1, 0], [0, 0, 1]])


def test_a_class_is_as_reliable_as_it_is_right_when_named() -> None:
    mean = np.array([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]])
    judged = Judged(mean, np.full_like(mean, 0.01))
    share, sure, variance = reliability(np.array([0, 1, 1]), judged, 0)
    assert (share, variance) == (0.5, pytest.approx(0.01)) and sure == pytest.approx(0.7)
    assert np.isnan(reliability(np.array([0]), Judged(mean[:1], mean[:1]), 1)[0])


def test_without_umap_its_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(UserError, match="needs umap-learn"):
        embedded(np.zeros((4, 2)), 1)


def test_umap_puts_the_same_class_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if find_spec("umap") is None:
        pytest.skip("umap-learn is not installed")
    # compiling umap takes a minute of processor time, running it on 16 sounds without that some seconds. The features
    # come first: a part of librosa cannot be loaded without the compiler
    for feature in FEATURES.values():
        feature(note(60, np.random.default_rng(1)))
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    told = lesson("umap", NAMES, 1, tmp_path, test=4)
    assert "16 sounds" in told and (tmp_path / "umap.html").read_text().count("<img") == 3
