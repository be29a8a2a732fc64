"""The playing seeds: each builds, learns and plays without knowing what comes, and the table says what was measured."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

from device.errors import UserError
from tests.unit.helpers.songs import CHANGED_FROM, STEPS, invented
from training.experiments.seeds.data import (
    NOTHING,
    PAUSE,
    SongStretches,
    chord_of,
    chosen_before,
    fold,
    read,
    read_width,
    roll_of_keys,
    voices_of,
)
from training.experiments.seeds.figures import track
from training.experiments.seeds.fit import fit, load
from training.experiments.seeds.loss import loss_of, reward, target_slices
from training.experiments.seeds.net import Layout, SeedNet
from training.experiments.seeds.play import Decisions, fit_thresholds, held, play
from training.experiments.seeds.setup import SEEDS, Seed


def small(name: str) -> Seed:
    return replace(SEEDS[name], units=4, stretch=16, every=8, steps=1)


@lru_cache
def net_of(kind: str, hands: str, body: str, ahead: tuple[int, ...], position: bool, layers: int) -> SeedNet:
    """The nets that configurations share, so that each is built once."""
    keras.utils.set_random_seed(3)
    return SeedNet(Seed("", "", kind, hands, body, 4, 16, 8, ahead, position, layers=layers))


def small_net(setup: Seed) -> SeedNet:
    return net_of(setup.kind, setup.hands, setup.body, setup.ahead, setup.position, setup.layers)


NETS = (
    "pitch-classes",
    "keys",
    "octave",
    "both-in",
    "both-scheduled",
    "ahead-1-to-4",
    "conv",
    "lstm",
    "two-layers",
    "taps",
    "history",
)
"""One configuration of each way to build a net, with those of chords below."""
CHORDS = ("voices", "notes")
LOSSES = (
    "voices-no-pause",
    "notes-no-pause",
    "distance",
    "bce-distance",
    "consonance",
    "reward",
    "no-transposition",
    "both-out",
)


@pytest.mark.parametrize("name", SEEDS)
def test_a_configuration_builds_and_its_targets_fit_its_heads(name: str) -> None:
    setup = small(name)
    net, layout = small_net(setup), Layout.of(setup)
    x, y = SongStretches([invented(1), invented(2)], setup, 2).at(0)
    model = net.sequence()
    assert {t.name: t.shape[-1] for t in model.inputs} == {key: value.shape[-1] for key, value in x.items()}
    assert model.output.shape[-1] == layout.width
    assert y.shape == (2, 16, target_slices(setup, layout)["weight"].stop)
    assert not setup.like or setup.like in SEEDS


@lru_cache
def compiled(cost: Callable[[Any], Any]) -> Callable[[list[Any]], tuple[Any, list[Any]]]:
    """The function of a cost and its gradient on jax, compiled once for each cost."""
    import jax

    return jax.jit(jax.value_and_grad(cost))  # type: ignore[no-any-return]


def downhill(cost: Callable[[Any], Any], at: list[Any], rate: float) -> tuple[float, list[Any]]:
    """The cost at some arrays, and the arrays a step down its gradient; in whichever of Keras' backends runs."""
    if keras.backend.backend() == "jax":
        before, slope = compiled(cost)(at)
    else:
        import tensorflow as tf

        at = [tf.convert_to_tensor(a) for a in at]
        with tf.GradientTape() as tape:
            tape.watch(at)
            before = cost(at)
        slope = tape.gradient(before, at)
    return float(before), [np.asarray(a) - rate * np.asarray(s) for a, s in zip(at, slope, strict=True)]


@pytest.mark.parametrize("name", [*NETS, *CHORDS])
def test_a_step_down_the_gradient_lowers_the_loss_and_the_future_is_not_heard(name: str) -> None:
    setup = small(name)
    model, loss = small_net(setup).sequence(), loss_of(setup)
    x, y = SongStretches([invented(1), invented(2)], setup, 2).at(0)
    fixed = [v.value for v in model.non_trainable_variables]
    logits = model.predict_on_batch(x)
    later = {key: np.array(value) for key, value in x.items()}
    for key in ("right", "left"):
        if key in later:
            later[key][:, 10:] = 1 - later[key][:, 10:]
    other = model.predict_on_batch(later)
    np.testing.assert_allclose(other[:, :10], logits[:, :10], atol=1e-5)
    assert np.abs(other - logits)[:, 10:].max() > 1e-4

    def cost(weights: list[Any]) -> Any:
        return loss(y, model.stateless_call(weights, fixed, x)[0])

    before, weights = downhill(cost, [np.asarray(v.value) for v in model.trainable_variables], 1e-2)
    assert downhill(cost, weights, 0.0)[0] < before


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_leads_to_what_costs_less(name: str) -> None:
    setup = small(name)
    loss, (_, y) = loss_of(setup), SongStretches([invented(1), invented(2)], setup, 2).at(0)
    logits = np.random.default_rng(0).normal(-2, 0.5, (2, 16, Layout.of(setup).width)).astype(np.float32)

    def cost(told: list[Any]) -> Any:
        return loss(y, told[0])

    before, (lower,) = downhill(cost, [logits], 0.1)
    assert np.abs(lower - logits).max() > 0
    assert downhill(cost, [lower], 0.0)[0] < before


@pytest.mark.parametrize("name", ["octave", "voices", "notes", "ahead-4", "ahead-1-to-4", "history-both"])
def test_what_is_played_up_to_a_step_depends_on_what_was_heard_before_it(name: str) -> None:
    setup = small(name)
    thresholds = fit_thresholds(setup, small_net(setup), SongStretches([invented(1), invented(2)], setup, 2), 1)
    first, other = (
        play(setup, small_net(setup), thresholds, [invented(1, changed), invented(2)])[0] for changed in (False, True)
    )
    # the change is known one step after it
    assert np.array_equal(first.sounding[: CHANGED_FROM + 1], other.sounding[: CHANGED_FROM + 1])
    assert np.array_equal(first.struck[: CHANGED_FROM + 1], other.struck[: CHANGED_FROM + 1])
    assert first.sounding.shape == (STEPS, 128) and first.sounding.any()


def test_a_seed_is_fitted_kept_and_read_back(tmp_path: Path) -> None:
    setup = replace(small("pitch-classes"), steps=60, rate=0.02)
    found = [invented(1), invented(2)]
    net, thresholds = fit(setup, found, tmp_path / setup.name, found, batch_steps=64)
    x, y = SongStretches(found, setup, 4).at(0)
    assert float(loss_of(setup)(y, net.sequence().predict_on_batch(x))) < 7
    assert "val_loss" in (tmp_path / setup.name / "history.csv").read_text().splitlines()[0]
    for part in ("train", "validation"):
        assert list((tmp_path / setup.name / "tensorboard" / part).glob("events*"))
    again, kept = load(tmp_path / setup.name)
    assert kept == thresholds
    played = [play(setup, n, thresholds, found)[0].sounding for n in (net, again)]
    assert np.array_equal(*played) and played[0].any()
    tuned = replace(small("softmax"), steps=0)
    fit(tuned, found, tmp_path / "softmax", found, batch_steps=64)
    weights = [(tmp_path / name / "seed.weights.h5") for name in (setup.name, "softmax")]
    assert all(path.is_file() for path in weights)
    with pytest.raises(UserError, match="has not been fitted"):
        load(tmp_path / "lstm")
    with pytest.raises(UserError, match="fit that first, with --family keys"):
        fit(replace(small("keys"), like="keys"), found, tmp_path / "other" / "keys", found)


@given(st.lists(st.integers(0, 87), max_size=7, unique=True))
def test_a_chord_is_its_pitch_classes_from_the_lowest_key_then_a_pause(keys: list[int]) -> None:
    sounding = np.zeros(88, bool)
    sounding[keys] = True
    voices, chord = voices_of(sounding), chord_of(sounding)
    lowest = [(key + 21) % 12 for key in sorted(keys)][:4]
    assert list(voices) == lowest + [PAUSE] * (4 - len(lowest))
    once = list(dict.fromkeys(lowest))
    assert list(chord) == (once + [PAUSE] + [NOTHING] * 4)[:4]
    before = chosen_before(chord)
    for i in range(4):
        assert set(np.flatnonzero(before[i])) == set(once[:i])


def test_hands_are_read_as_a_kind_reads_them() -> None:
    keys = np.zeros((2, 88), bool)
    keys[0, [0, 12, 39]] = True
    assert list(np.flatnonzero(fold(keys)[0])) == [0, 9]
    for kind in ("keys", "classes", "octave"):
        assert read(kind, keys, keys).shape == (2, read_width(kind))
    assert list(np.flatnonzero(read("octave", keys, keys)[0, 24:])) == [0, 1, 4]


def test_transposed_songs_keep_their_intervals_and_a_key_lies_one_step_before_its_target() -> None:
    setup = replace(small("pitch-classes"), position=False)
    x, y = SongStretches([invented(1)], setup, 8).at(0)
    assert len({tuple(row) for row in x["right"].argmax(axis=-1)}) > 1
    left = y[..., :12]
    assert (np.sort((left @ np.arange(12)) % 12, axis=None) >= 0).all()
    gaps = {tuple(np.diff(np.flatnonzero(step))) for row in left for step in row if step.any()}
    assert gaps <= {(4,), (8,)}
    melody = y[..., target_slices(setup, Layout.of(setup))["melody"]]
    np.testing.assert_array_equal(x["right"][:, 1:, :12], melody[:, :-1])


def test_a_reward_is_the_panels() -> None:
    melody, true = np.eye(12, dtype=np.float32)[[0, 0, 0]], np.eye(12, dtype=np.float32)[[4, 4, 4]]
    left = np.eye(12, dtype=np.float32)[[4, 1, 9]]
    np.testing.assert_allclose(reward(left, true, melody), [2.0, -2.0, 1.0])


def test_a_warmed_up_net_rests_while_the_true_left_hand_is_read() -> None:
    setup = replace(small("both-in-warm"), warm=16)
    played = play(setup, small_net(setup), {"sounding": 1e-6, "struck": 1.0}, [invented(1), invented(2)])[0]
    assert not played.sounding[:16].any() and played.sounding[16:].any(axis=1).all()


def test_a_chord_is_held_between_decisions() -> None:
    classes = np.eye(12, dtype=bool)[np.arange(10)]
    kept = held(classes, (np.arange(10) + 2) % 16, 4)
    assert not kept[:2].any()
    assert list(kept[2:].argmax(axis=1)) == [2, 2, 2, 2, 6, 6, 6, 6]


def test_targets_told_at_several_steps_are_played_as_their_mean() -> None:
    setup = small("ahead-1-to-4")
    decide = Decisions(setup, small_net(setup), {"sounding": 0.5, "struck": 0.5}, np.random.default_rng(0))
    logits = np.full((8, Layout.of(setup).width), -4.0, np.float32)
    song = replace(invented(1), positions=np.arange(8))
    for i in range(4):
        # each told at its own step what sounds on step 5
        logits[5 - i, Layout.of(setup).slices[f"sounding.{i}"].start + 7] = 4.0
    assert list(np.flatnonzero(decide.roll(logits, song).sounding.any(axis=1))) == [5]


@pytest.mark.parametrize(
    "change",
    [{"kind": "piano"}, {"hands": "both", "kind": "octave"}, {"kind": "keys", "loss": "distance"}, {"warm": 8}],
)
def test_a_configuration_that_cannot_be_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(UserError):
        replace(SEEDS["pitch-classes"], **change)  # type: ignore[arg-type]


def test_an_example_has_each_key_once_down_and_once_up() -> None:
    song = invented(1)
    messages = list(track("Left hand", roll_of_keys(song.left_sounding, song.left_struck), 60))
    down: set[int] = set()
    ticks = 0
    for message in messages:
        ticks += message.time
        if message.type == "note_on":
            assert message.note not in down
            down.add(message.note)
        elif message.type == "note_off":
            down.remove(message.note)
    assert not down and ticks == STEPS * 120
    assert sum(m.type == "note_on" for m in messages) == song.left_struck.sum()


DRAWN = [name for name, setup in SEEDS.items() if setup.fed and setup.pick != "threshold"]


def test_every_silent_row_has_a_row_that_plays_its_weights() -> None:
    silent = {name for name, setup in SEEDS.items() if setup.silent}
    assert silent == {"both", "both-in", "both-in-keys", "both-scheduled", "history-both"}
    assert {SEEDS[name].like for name in DRAWN} == silent


@pytest.mark.parametrize("name", ["both-drawn", "both-softmax", "both-in-keys-drawn", "history-both-drawn"])
def test_a_net_that_draws_plays_out_of_silence_and_reads_what_it_played(name: str) -> None:
    setup = small(name)
    net, found = small_net(setup), [invented(1), invented(2)]
    thresholds = {"sounding": 0.2 if setup.pick == "softmax" else 2.0, "struck": 2.0}
    if setup.pick == "softmax":
        thresholds = fit_thresholds(setup, net, SongStretches(found, setup, 2), 1)
    first, again = (play(setup, net, thresholds, found)[0] for _ in range(2))
    assert first.sounding[setup.warm :].any(axis=1).any() or setup.warm >= STEPS
    assert np.array_equal(first.sounding, again.sounding)


def test_keys_are_drawn_as_often_as_the_net_says_and_a_struck_key_sounds() -> None:
    setup = small("both-drawn")
    decide = Decisions(setup, small_net(setup), {}, np.random.default_rng(0))
    logits = np.zeros((4000, small_net(setup).layout.width), np.float32)
    at = small_net(setup).layout.slices
    logits[:, at["sounding.0"]], logits[:, at["struck.0"]] = np.log(0.3 / 0.7), np.log(0.1 / 0.9)
    sounding, struck = decide.sounding_and_struck(logits)
    assert sounding.mean() == pytest.approx(0.3, abs=0.01) and struck.mean() == pytest.approx(0.1, abs=0.01)
    assert not (struck & ~sounding).any()


@pytest.mark.parametrize("name", ["both-in", "both-in-keys", "history-both", "two-layers"])
def test_a_net_that_reads_its_own_hand_tells_step_by_step_what_it_tells_over_a_stretch(name: str) -> None:
    setup = small(name)
    net = small_net(setup)
    x, _ = SongStretches([invented(1), invented(2)], setup, 2).at(0)
    hands = ("right", "left") if setup.fed else ("right",)
    zeros = {"share": np.zeros((2, 1, 1), np.float32)} if setup.fed else {}
    whole = np.asarray(net.sequence().predict_on_batch({**x, **zeros}))
    model = net.step(2)
    states = {t.name: np.zeros(t.shape, np.float32) for t in model.inputs if t.name != "x"}
    for step in range(10):
        out = model.predict_on_batch({"x": np.concatenate([x[hand][:, step] for hand in hands], axis=-1), **states})
        states = {key: out[key] for key in states}
        np.testing.assert_allclose(out["logits"], whole[:, step], atol=1e-5)
