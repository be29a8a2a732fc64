"""The diary's experiments: each builds, learns, does not hear the future, and writes a song from nothing."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from keras import ops

from device.errors import UserError
from device.events import Note
from device.files.midi.file import read_midi
from tests.unit.helpers.songs import invented
from training.__main__ import main
from training.experiments.music_generation import figures
from training.experiments.music_generation.data import Fragments, allowed_of, hands
from training.experiments.music_generation.fit import fit, load
from training.experiments.music_generation.generate import Learner, generate, keys_of
from training.experiments.music_generation.net import DiaryNet, draw, loss_of, sounding, spread
from training.experiments.music_generation.setup import ENTRIES, LAGS, Entry
from training.experiments.seeds.data import fold

STEPS = 12
FEW_LAGS = LAGS[:2]
"""The nets of the tests read two lags. Each lag more is one more part of the same kind to compile."""
OWN = [name for name, entry in ENTRIES.items() if not entry.like]
SHOWN = ("mg-repeat", "mg-latency", "mg-capsules", "mg-final")
"""One entry of each kind of net. The other entries differ in sizes and losses."""


def notes_in(path: Path) -> list[Note]:
    return [note for part in read_midi(path).parts for note in part.notes]


def small(name: str) -> Entry:
    entry = ENTRIES[name]
    return replace(entry, units=(6,) * len(entry.units), steps=2, rate=0.02, voices=2)


@pytest.fixture(autouse=True)
def few_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.experiments.music_generation.net.LAGS", FEW_LAGS)


@lru_cache
def net_of(entry: Entry) -> DiaryNet:
    keras.utils.set_random_seed(1)
    return DiaryNet(entry)


def batch(entry: Entry, seed: int = 1) -> tuple[dict[str, Any], Any]:
    return Fragments([invented(1), invented(2)], entry, 2, seed, STEPS).at(0)


@pytest.mark.parametrize("name", [*SHOWN, "mg-decoder"])
def test_an_entry_learns_and_does_not_hear_the_future(name: str) -> None:
    entry = small(name)
    net = net_of(entry)
    x, y = batch(entry)
    told = np.asarray(net.fit.predict_on_batch(x))
    assert told.shape == (2, STEPS, entry.voice_count, entry.width + 1)
    if entry.head != "keys":
        np.testing.assert_allclose(told.sum(axis=-1), 1.0, atol=1e-5)
    later = {key: np.array(value) for key, value in x.items()}
    later["now"][:, 8:] = 1 - later["now"][:, 8:]
    other = np.asarray(net.fit.predict_on_batch(later))
    np.testing.assert_allclose(other[:, :8], told[:, :8], atol=1e-5)
    assert np.abs(other - told)[:, 8:].max() > 1e-5
    net.fit.compile(keras.optimizers.Adam(0.02), loss=loss_of(entry))
    losses = [float(net.fit.train_on_batch(x, y)) for _ in range(8)]
    assert losses[-1] < losses[0]


def gradient(voices: Any, crutch: bool) -> Any:
    """Return the gradient of the first note's probability, by the backend that Keras runs on."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.grad(lambda v: sounding(v, crutch)[0])(voices)
    import tensorflow as tf

    v = tf.Variable(voices)
    with tf.GradientTape() as tape:
        first = sounding(v, crutch)[0]
    return tape.gradient(first, v)


def test_the_probability_of_a_note_grows_by_what_is_left_and_the_crutch_stops_a_gradient() -> None:
    voices = np.array([[0.5, 0.25, 0.25], [0.4, 0.6, 0.0]], np.float32)
    np.testing.assert_allclose(sounding(ops.convert_to_tensor(voices), False), [0.7, 0.7], atol=1e-6)
    # dp/dp_1 = 1 - p_2, and 1 with the gradient through 1 - p stopped
    assert float(gradient(voices, False)[0, 0]) == pytest.approx(0.6)
    assert float(gradient(voices, True)[0, 0]) == pytest.approx(1.0)


def test_the_pause_loss_costs_what_all_voices_say_of_a_pause() -> None:
    entry = small("mg-pause-loss")
    targets = np.zeros((1, 1, 13), np.float32)
    targets[..., -1] = 1.0
    costs = []
    for pause in (0.9, 0.5):
        voices = np.zeros((1, 1, 5, 13), np.float32)
        voices[..., -1] = pause
        told = float(loss_of(entry)(targets, voices))
        assert told == pytest.approx(-np.log(pause**5), rel=1e-3, abs=1e-3)
        costs.append(told)
    assert costs[0] < costs[1]
    assert float(loss_of(replace(entry, pause=False))(targets, voices)) == pytest.approx(0.0, abs=1e-3)


def test_a_note_is_drawn_among_the_allowed_ones_and_the_next_voice_knows_it() -> None:
    entry = small("mg-conditional")
    x, _ = batch(entry)
    notes = np.asarray(net_of(entry).drawn.predict_on_batch(x))
    assert notes.shape == (2, STEPS, entry.voices, 89) and (notes.sum(axis=-1) == 1).all()
    assert (notes <= x["allowed"][:, :, None]).all()
    other = dict(x, noise=1 - x["noise"])
    first, second = (np.asarray(net_of(entry).fit.predict_on_batch(own)) for own in (x, other))
    np.testing.assert_allclose(first[:, :, 0], second[:, :, 0], atol=1e-6)
    assert np.abs(first - second)[:, :, 1:].max() > 1e-6


def test_shares_are_drawn_in_proportion_and_silence_allows_only_the_pause() -> None:
    noise = (np.arange(1000) / 1000).astype(np.float32)
    drawn = np.asarray(draw(ops.convert_to_tensor(np.tile(np.float32([0.2, 0.0, 0.6]), (1000, 1))), noise))
    np.testing.assert_allclose(drawn.mean(axis=0), [0.25, 0, 0.75], atol=0.002)
    true = np.zeros((2, 3), bool)
    true[1, 2] = True
    np.testing.assert_array_equal(allowed_of(true), [[0, 0, 0, 1], [0, 0, 1, 0]])


def test_the_history_user_reads_shares_of_the_lags() -> None:
    entry = small("mg-history-user")
    shares = figures.coefficients(net_of(entry), invented(1), STEPS)
    assert shares.shape == (STEPS, len(FEW_LAGS))
    np.testing.assert_allclose(shares.sum(axis=-1), 1.0, atol=1e-5)


def test_the_decoder_gives_no_key_of_another_pitch_class() -> None:
    entry = small("mg-decoder")
    x, y = batch(entry)
    told = np.asarray(net_of(entry).fit.predict_on_batch(x))[:, :, 0, :88]
    mask = np.asarray(spread(ops.convert_to_tensor(x["now"])))
    assert (told[mask == 0] == 0).all() and (told[mask == 1] > 0).all()
    np.testing.assert_array_equal(fold(y[..., :88]), x["now"])
    keys = keys_of(x["now"].astype(bool), net_of(entry))
    np.testing.assert_array_equal(fold(keys.astype(np.uint8)), x["now"])


@pytest.mark.parametrize("name", SHOWN)
def test_a_song_is_written_from_nothing_and_again_with_the_same_seed(name: str) -> None:
    net = net_of(small(name))
    first, again, other = (generate(net, STEPS, 2, seed) for seed in (1, 1, 2))
    assert first.shape == (2, STEPS, net.entry.width) and first.any()
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_what_was_drawn_stays_drawn_while_the_song_grows() -> None:
    net = net_of(small("mg-final"))
    whole = generate(net, STEPS, 2, 3)
    entry = net.entry
    rng = np.random.default_rng(3)
    from training.experiments.music_generation.data import inputs

    known = np.concatenate([np.zeros((2, 1, 12)), whole[:, :-1]], axis=1).astype(np.float32)
    x = inputs(entry, known, np.ones_like(known), np.tile(np.arange(STEPS) % 16, (2, 1)), rng)
    x["allowed"][:] = 1.0
    notes = np.asarray(net.drawn.predict_on_batch(x))[..., :12].any(axis=2)
    np.testing.assert_array_equal(notes, whole)


@pytest.mark.parametrize(("meta", "same"), [("reset", True), ("moving", False)])
def test_learning_during_generation_begins_again_or_goes_on(meta: str, same: bool) -> None:
    entry = replace(small("mg-upgraded"), meta=meta, meta_rate=0.05)
    net = DiaryNet(entry)
    x, y = batch(entry)
    told = y[..., :-1].astype(bool)
    learner = Learner(net)
    before = [np.array(v.value) for v in net.fit.trainable_variables]
    after = []
    for _ in range(2):
        learner.learn(x, told, 6)
        after.append(np.concatenate([np.array(v.value).ravel() for v in net.fit.trainable_variables]))
    assert np.abs(after[0] - np.concatenate([b.ravel() for b in before])).max() > 0
    assert np.allclose(*after, atol=1e-6) == same
    learner.forget()
    for variable, value in zip(net.fit.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(np.array(variable.value), value)


def test_shifted_fragments_keep_their_intervals() -> None:
    entry = replace(small("mg-final"), time=False)
    x, y = Fragments([invented(1)], entry, 8, 1, STEPS).at(0)
    np.testing.assert_array_equal(x["now"][:, 1:], y[:, :-1, :-1])
    assert len({tuple(row) for row in y[:, 0, :-1].astype(int).tolist()}) > 1


def test_an_entry_is_fitted_measured_kept_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, found = small("mg-final"), [invented(1), invented(2)]
    monkeypatch.setattr(figures, "fit", lambda e, a, b, folder: fit(e, a, b, folder, STEPS, 2))
    told = figures.measure(entry, tmp_path / entry.name, found, found, STEPS)
    assert set(told) == set(figures.SHOWN)
    folder = tmp_path / entry.name
    assert {"config.json", "history.csv", "panel.json", "example.mid", "reading.png", "tensorboard"} <= {
        path.name for path in folder.iterdir()
    }
    assert notes_in(folder / "example.mid")
    net, about = load(folder)
    assert about["val_loss"] > 0 and generate(net, STEPS, 1, 5).shape == (1, STEPS, entry.width)
    for one, other in zip(net.fit.trainable_variables, load(folder)[0].fit.trainable_variables, strict=True):
        np.testing.assert_array_equal(np.array(one.value), np.array(other.value))
    figures.measure_truth(tmp_path / "mg-truth", found, STEPS)
    rows = figures.table(tmp_path).splitlines()
    assert [row.split("`")[1] for row in rows[2:]] == ["mg-truth", "mg-final"]
    with pytest.raises(UserError, match="fit that first, --family mg-voices"):
        fit(replace(small("mg-voices-meta"), name="mg-voices-meta"), found, found, tmp_path / "mg-voices-meta")
    with pytest.raises(UserError, match="has not been fitted"):
        load(tmp_path / "mg-lstm-300")


def test_figures_of_a_song() -> None:
    keys = np.zeros((64, 88), bool)
    keys[:32, [39, 43, 46]] = True  # C4, E4, G4
    told = figures.song_figures(keys)
    assert told["notes"] == 1.5 and told["silent"] == 0.5 and told["in_scale"] == 1.0
    assert told["same"] == 1.0 and told["bar_before"] == 1.0
    keys[8:16] = np.roll(keys[8:16], 2, axis=1)
    told = figures.song_figures(keys)
    assert told["same"] == pytest.approx(29 / 31) and told["bar_before"] == 0.5
    assert told["consonant"] == 1.0
    assert np.isnan(figures.song_figures(0 * keys == 1)["in_scale"])


def test_entries_are_named_dated_and_changed() -> None:
    assert all(name.startswith("mg-") and entry.found and entry.about for name, entry in ENTRIES.items())
    assert all(ENTRIES[entry.like] for entry in ENTRIES.values() if entry.like)
    changed = ENTRIES["mg-upgraded"].changed(units=8, steps=None, layers=None, rate=None)
    assert (changed.units, changed.name) == ((8, 8), "mg-upgraded@units=8-8")
    with pytest.raises(UserError, match="change that one"):
        ENTRIES["mg-voices-meta"].changed(units=8)
    with pytest.raises(UserError, match="cyclically"):
        replace(ENTRIES["mg-voices"], shifts=True)


def test_a_song_is_generated_by_the_command(tmp_path: Path) -> None:
    entry, found = small("mg-voices"), [invented(1), invented(2)]
    fit(entry, found, found, tmp_path / "fits" / "seeds" / entry.name, STEPS, 2)
    path = tmp_path / "song.mid"
    ran = CliRunner().invoke(
        main,
        ["seeds", "-a", "generate", "--family", entry.name, "--length", "20", "--midi", str(path)]
        + ["--cache", str(tmp_path)],
    )
    assert ran.exit_code == 0, ran.output
    assert notes_in(path) and "notes" in ran.output
    ran = CliRunner().invoke(main, ["seeds", "-a", "generate", "--family", "lstm", "--cache", str(tmp_path)])
    assert ran.exit_code == 2 and "that writes songs" in ran.output
    assert json.loads((tmp_path / "fits" / "seeds" / entry.name / "config.json").read_text())["name"] == entry.name
    assert hands(found[0]).shape[1] == 88 and len(OWN) > 12
