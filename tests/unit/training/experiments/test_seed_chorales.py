"""The chorales that the seeds learn: which are used, as which events, and how one is drawn."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")

from tests.unit.helpers.songs import CHANGED_FROM, STEPS, invented
from training.experiments.seeds import chorales
from training.experiments.seeds.chorales import (
    Lengths,
    beats_of,
    draw,
    events_of,
    fit_chorales,
    lengths_of,
    play_chorales,
)
from training.experiments.seeds.data import PAUSE
from training.experiments.seeds.setup import CHORALES, Chorale


def test_the_longest_and_the_shortest_chorales_are_left_out() -> None:
    voices = [np.full((n, 4), PAUSE, np.uint8) for n in range(1, 101)]
    lengths = lengths_of(voices, 120)
    assert (lengths.in_four, lengths.least_beats, lengths.most_beats, lengths.embedding) == (100, 5, 95, 3)
    assert lengths.kept == 91 and lengths.sequence == 380


def test_events_are_padded_and_say_who_sounds_or_rests() -> None:
    voices = beats_of([[(0.0, 2.0, 48)], [(1.0, 1.0, 55)], [(0.0, 0.5, 64), (0.5, 1.5, 65)], [(0.0, 1.0, 72)]])
    np.testing.assert_array_equal(voices, [[0, PAUSE, 4, 0], [0, 7, 5, PAUSE]])
    np.testing.assert_array_equal(events_of(voices, 10, shift=2), [3, 13, 7, 16, 3, 10, 8, 26, 0, 0])


@pytest.mark.parametrize("pick", ["greedy", "top-k", "top-p", "temperature"])
def test_a_voice_is_drawn_from_what_its_sampling_allows(pick: str) -> None:
    logits = np.tile(np.log([0.05, 0.55, 0.3, 0.1]), (400, 1))
    setup = Chorale("", "", pick, top_k=2, top_p=0.8, temperature=0.5)
    drawn = set(draw(setup, logits, np.random.default_rng(0)).tolist())
    assert drawn == {"greedy": {1}, "top-k": {1, 2}, "top-p": {1, 2}, "temperature": {0, 1, 2, 3}}[pick]


def test_chorales_are_learnt_and_played_without_knowing_what_comes(tmp_path: Path) -> None:
    found = [np.tile([[0, 4, 7, 0], [7, 11, 2, 7]], (6, 1)).astype(np.uint8) for _ in range(20)]
    net = fit_chorales(found, Lengths(20, 20, 20, 12, 12, 3), tmp_path, epochs=2)
    about = json.loads((tmp_path / "config.json").read_text())
    with (tmp_path / "history.csv").open() as file:
        losses = list(csv.DictReader(file))
    assert len(losses) == 2 and float(losses[1]["loss"]) < float(losses[0]["loss"])
    assert about["val_loss"] == pytest.approx(float(losses[1]["val_loss"]), abs=1e-4)
    assert all(list((tmp_path / "tensorboard" / part).glob("events*")) for part in ("train", "validation"))
    assert about["sequence"] == 48 and about["parameters"] == net.sequence.count_params()
    pair = [invented(1), invented(1, changed=True)]
    first, other = play_chorales(CHORALES["chorales-greedy"], net, pair)
    assert np.array_equal(first.sounding[: CHANGED_FROM + 1], other.sounding[: CHANGED_FROM + 1])
    assert chorales.known_melody(pair[0]).shape == (STEPS,)


def test_an_epoch_has_every_chorale_once_in_some_key() -> None:
    # a transposition moves no rest, so the places of the rests tell which chorale it is
    bits = np.arange(12)
    found = [
        np.where((number >> bits) & 1, PAUSE, 5).astype(np.uint8).reshape(3, 4) for number in range(chorales.BATCH + 4)
    ]
    made = chorales.ChoraleBatches(found, 13)
    assert made.count == 2
    keys: set[int] = set()
    for epoch in range(2):
        parts = [made.at(2 * epoch + number)[0] for number in range(2)]
        assert [len(part) for part in parts] == [chorales.BATCH, 4]
        events = np.concatenate(parts).reshape(-1, 3, 4) - np.array([1, 1, 1, chorales.MELODY])
        numbers = ((events == PAUSE).reshape(-1, 12) @ (1 << bits)).tolist()
        assert sorted(numbers) == list(range(chorales.BATCH + 4))
        keys |= set(events[events != PAUSE].tolist())
    assert len(keys) > 6
    again = chorales.ChoraleBatches(found, 13).at(3)[0]
    assert np.array_equal(parts[1], again) and not np.array_equal(made.at(1)[0], again)
