"""Plays left hands to songs with the seeds, which are early nets that accompany a melody.

Each step uses past steps only. The thresholds of sounding and struck keys are first fitted on training stretches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from device.events import KEYS, LOWEST_KEY
from training.experiments.seeds.data import (
    PAUSE,
    VOICES,
    Song,
    SongStretches,
    late,
    placed,
    read,
    read_width,
    roll_of_keys,
)
from training.experiments.seeds.loss import target_slices
from training.experiments.seeds.net import SeedNet
from training.experiments.seeds.setup import Seed
from training.playing_figures.baselines import LOWEST
from training.playing_figures.panel import Roll

Array = npt.NDArray[Any]
Thresholds = dict[str, float]

DRAW_TEMPERATURE = 0.7
"""Softmax temperature when chord notes are drawn. Below 1, likely notes are drawn more often."""
NEVER = -30.0
"""A logit whose probability is practically 0."""


def sigmoid(logits: Array) -> Array:
    """Return the probabilities that belong to logits, float32 in the same shape."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def softmax(logits: Array) -> Array:
    """Return probabilities from logits, in the same shape. They add up to 1 over the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def fit_thresholds(setup: Seed, net: SeedNet, stretches: SongStretches, batches: int = 4) -> Thresholds:
    """Find the thresholds of sounding and struck keys on some training stretches, and return them by name.

    As many of the net's keys lie above a threshold as keys of the true left hand sound, or are struck.
    """
    found: dict[str, list[Array]] = {"sounding": [], "struck": [], "sounds": [], "strikes": [], "weight": []}
    at = target_slices(setup, net.layout)
    for number in range(batches):
        x, y = stretches.at(1_000_000 + number)
        logits = np.asarray(net.sequence().predict_on_batch(x))
        if "sounding.0" in at:
            found["sounding"].append(_likely(setup, logits[..., net.layout.slices["sounding.0"]]))
            found["sounds"].append(y[..., at["sounding.0"]])
        found["struck"].append(sigmoid(logits[..., net.layout.slices["struck.0"]]))
        found["strikes"].append(y[..., at["struck.0"]])
        found["weight"].append(y[..., at["weight"]][..., 0])
    counts = np.concatenate([w.ravel() for w in found["weight"]]) >= 1
    return {
        name: _as_many(
            np.concatenate([a.reshape(-1, a.shape[-1]) for a in found[name]])[counts],
            np.concatenate([a.reshape(-1, a.shape[-1]) for a in found[true]])[counts],
        )
        for name, true in (("sounding", "sounds"), ("struck", "strikes"))
        if found[name]
    }


def _likely(setup: Seed, logits: Array) -> Array:
    return softmax(logits) if setup.pick == "softmax" else sigmoid(logits)


def _as_many(sure: Array, true: Array) -> float:
    number = int(true.sum())
    if number == 0:
        return 1.0
    ordered = np.sort(sure, axis=None)[::-1]
    return float(ordered[min(number, len(ordered) - 1)])


def play(setup: Seed, net: SeedNet, thresholds: Thresholds, songs: list[Song], seed: int = 1) -> list[Roll]:
    """Play a left hand to each song's right hand, and return the left hands as rolls.

    Each step knows the right hand only up to the step before. The same `seed` gives the same notes.
    """
    decide = Decisions(setup, net, thresholds, np.random.default_rng(seed))
    if setup.fed:
        return _fed(setup, net, decide, songs)
    x = side_by_side(setup, net, songs)
    told = decide.chord(x) if setup.kind == "notes" else np.asarray(net.sequence().predict_on_batch({"right": x}))
    return [decide.roll(row[: len(song.positions)], song) for row, song in zip(told, songs, strict=True)]


def side_by_side(setup: Seed, net: SeedNet, songs: list[Song]) -> Array:
    """Return the net's input from the right hands of all songs, float32 [songs, T, ...].

    Shorter songs are padded with zeros.
    """
    right = np.zeros((len(songs), max(len(song.positions) for song in songs), net.right_width), np.float32)
    for row, song in zip(right, songs, strict=True):
        row[: len(song.positions)] = right_of(setup, song)
    return right


def right_of(setup: Seed, song: Song) -> Array:
    """Return the net's input from a song's right hand at each step, [T, ...].

    It has the right hand of the step before, and the step's position in the bar if the net reads it.
    """
    known = read(setup.kind, late(song.right_sounding), late(song.right_struck))
    return np.concatenate([known, placed(song.positions)], axis=-1) if setup.position else known


def _fed(setup: Seed, net: SeedNet, decide: Decisions, songs: list[Song]) -> list[Roll]:
    """Play all songs in one batch, step by step, and return the left hands that the net plays, as rolls.

    At each step the net reads the left hand that it played at the step before.
    """
    right = side_by_side(setup, net, songs)
    model = net.step(len(songs))
    states = {t.name: np.zeros(t.shape, np.float32) for t in model.inputs if t.name != "x"}
    left = np.zeros((len(songs), net.left_width), np.float32)
    before = np.zeros((len(songs), net.left_width // 2), bool)
    true, warm = _true_left(setup, songs, right.shape[1])
    played = np.zeros((2, *right.shape[:2], net.left_width // 2), bool)
    for step in range(right.shape[1]):
        out = model.predict_on_batch({"x": np.concatenate([right[:, step], left], axis=-1), **states})
        states = {name: out[name] for name in states}
        sounding, struck = decide.sounding_and_struck(np.asarray(out["logits"]))
        struck = sounding & (struck | ~before)
        # a decision may be drawn by chance, so the one that the net reads back is the one that is played
        played[:, :, step] = np.array([sounding, struck]) & ~warm[:, step, None]
        left = np.concatenate([sounding, struck], axis=-1).astype(np.float32)
        left = np.where(warm[:, step, None], true[:, step], left)
        before = left[:, : before.shape[1]] > 0
    to_roll = roll_of_keys if setup.kind == "keys" else voiced
    ends = [len(song.positions) for song in songs]
    return [to_roll(played[0, i, :end], played[1, i, :end]) for i, end in enumerate(ends)]


def _true_left(setup: Seed, songs: list[Song], steps: int) -> tuple[Array, Array]:
    """Return the true left hands as net input, and the steps at which the net reads them in place of its own.

    The first array is float32 [songs, T, ...], the second bool [songs, T].
    """
    true = np.zeros((len(songs), steps, read_width(setup.kind)), np.float32)
    warm = np.zeros((len(songs), steps), bool)
    for row, within, song in zip(true, warm, songs, strict=True):
        row[: len(song.positions)] = read(setup.kind, song.left_sounding, song.left_struck)
        first = int(np.argmax(song.left_struck.any(axis=1)))
        within[: first + setup.warm] = setup.warm > 0
    return true, warm


class Decisions:
    """Decides from the logits of a net which keys sound and which are struck."""

    def __init__(self, setup: Seed, net: SeedNet, thresholds: Thresholds, rng: np.random.Generator) -> None:
        self.setup, self.net, self.thresholds, self.rng = setup, net, thresholds, rng

    def sounding_and_struck(self, logits: Array) -> tuple[Array, Array]:
        """Return which notes sound and which are struck, each bool [..., 12], or [..., 88] for a net of 88 keys.

        With `draw`, one random number for each key decides both: a key that is struck also sounds.
        """
        at = self.net.layout.slices
        if self.setup.pick == "draw":
            chance = self.rng.random(logits[..., at["sounding.0"]].shape)
            sounding = chance < sigmoid(logits[..., at["sounding.0"]])
            return sounding, sounding & (chance < sigmoid(logits[..., at["struck.0"]]))
        sure = _likely(self.setup, logits[..., at["sounding.0"]])
        struck = sigmoid(logits[..., at["struck.0"]]) > self.thresholds["struck"]
        return sure > self.thresholds["sounding"], struck

    def roll(self, logits: Array, song: Song) -> Roll:
        """Convert a song's logits [T, width] to a left hand, and return it as a roll.

        For the kind `notes`, `logits` must be the output of `chord`.
        """
        setup, at = self.setup, self.net.layout.slices
        if len(setup.ahead) > 1:
            logits = self._mean_of_targets(logits)
        elif setup.ahead != (1,):
            logits = np.concatenate([np.full_like(logits[: setup.ahead[0] - 1], -9.0), logits])[: len(logits)]
        if setup.kind in ("voices", "notes"):
            classes = np.zeros((len(logits), 12), bool)
            for v in range(VOICES):
                note = self._note(softmax(logits[:, 13 * v : 13 * (v + 1)])) if setup.kind == "voices" else None
                told = logits[:, v].astype(int) if note is None else note
                rows = np.flatnonzero(told < PAUSE)
                classes[rows, told[rows]] = True
            struck = sigmoid(logits[:, at["struck.0"]]) > self.thresholds["struck"]
            return voiced(held(classes, song.positions, setup.hold), struck)
        sounding, struck = self.sounding_and_struck(logits)
        if setup.kind == "keys":
            return roll_of_keys(sounding, struck)
        if setup.kind == "octave":
            return _by_octave(sounding, struck, logits[:, at["octave.0"]])
        return voiced(sounding, struck)

    def chord(self, right: Array) -> Array:
        """Choose the notes of each chord one after another, from the right hands [songs, T, ...].

        Returns [songs, T, width]. The first `VOICES` numbers are pitch classes or `PAUSE`, the others are the net's
        logits.
        """
        chosen = np.zeros((*right.shape[:2], VOICES, 12), np.float32)
        notes = np.full((*right.shape[:2], VOICES), PAUSE)
        ended = np.zeros(right.shape[:2], bool)
        for v in range(VOICES):
            logits = np.array(self.net.sequence().predict_on_batch({"right": right, "chosen": chosen}))
            told = logits[..., 13 * v : 13 * (v + 1)]
            # A chord has each pitch class once. A net that was fitted without pauses must not choose one.
            told = np.where(np.pad(chosen[..., v, :], ((0, 0), (0, 0), (0, 1))) > 0, NEVER, told)
            if not self.setup.pauses:
                told[..., PAUSE] = NEVER
            note = self._note(softmax(told / (DRAW_TEMPERATURE if self.setup.pick == "draw" else 1.0)))
            ended |= note == PAUSE
            notes[..., v] = np.where(ended, PAUSE, note)
            if v + 1 < VOICES:
                chosen[..., v + 1 :, :] = np.maximum(chosen[..., v + 1 :, :], np.eye(13)[notes[..., v]][..., None, :12])
        logits[..., :VOICES] = notes
        return np.asarray(logits)

    def _note(self, shares: Array) -> Array:
        if self.setup.pick != "draw":
            if not self.setup.pauses:
                shares = shares[..., :PAUSE]
            return np.argmax(shares, axis=-1)
        edges = np.cumsum(shares, axis=-1)
        return np.minimum((self.rng.random(shares.shape[:-1])[..., None] > edges).sum(axis=-1), PAUSE)

    def _mean_of_targets(self, logits: Array) -> Array:
        """Return logits in which the predictions of several earlier steps for the same step are averaged, [T, width].

        Their probabilities are averaged, and the logit of the mean replaces the first prediction.
        """
        at, width = self.net.layout.slices, self.net.layout.slices["struck.0"].stop
        total, number = np.zeros((len(logits), width)), np.zeros((len(logits), 1))
        for i, ahead in enumerate(self.setup.ahead):
            first = at[f"sounding.{i}"].start
            sure = sigmoid(logits[: len(logits) - ahead + 1, first : first + width])
            total[ahead - 1 :] += sure
            number[ahead - 1 :] += 1
        mean = np.clip(total / number, 1e-6, 1 - 1e-6)
        out = logits.copy()
        out[:, :width] = np.log(mean / (1 - mean))
        return out


def held(classes: Array, positions: Array, steps: int) -> Array:
    """Return pitch classes [T, 12] that change only every `steps` steps of the bar.

    Between these steps the last ones are held.
    """
    if steps == 1:
        return classes
    last = np.maximum.accumulate(np.where(positions % steps == 0, np.arange(len(classes)), -1))
    return np.where((last >= 0)[:, None], classes[np.maximum(last, 0)], False)


def voiced(classes: Array, struck: Array) -> Roll:
    """Return a roll in which the sounding and the `struck` pitch classes, both [T, 12], lie in the octave from C3."""
    keys = np.zeros((2, len(classes), KEYS), bool)
    first = LOWEST - LOWEST_KEY
    keys[0, :, first : first + 12], keys[1, :, first : first + 12] = classes, struck
    return roll_of_keys(keys[0], keys[1])


def _by_octave(classes: Array, struck: Array, keys: Array) -> Roll:
    """Return a roll in which each wanted pitch class lies on its likeliest key below middle C.

    `classes` and `struck` are [T, 12], and `keys` [T, 88] has the logits of the keys.
    """
    sounding, hit = np.zeros((2, len(classes), KEYS), bool)
    for pitch_class in range(12):
        own = np.arange((pitch_class - LOWEST_KEY) % 12, 60 - LOWEST_KEY, 12)
        key = own[np.argmax(keys[:, own], axis=1)]
        rows = np.flatnonzero(classes[:, pitch_class])
        sounding[rows, key[rows]] = True
        hit[rows, key[rows]] = struck[rows, pitch_class]
    return roll_of_keys(sounding, hit)
