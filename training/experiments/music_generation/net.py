"""Builds the nets of the diary's experiments (see setup.py).

A net has a body, which makes features from the past, and a head, which makes probabilities of notes from the features.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from training.experiments.music_generation.cells import LatencyCell, RepeatCell, recurrent
from training.experiments.music_generation.data import TIME_WIDTH
from training.experiments.music_generation.setup import CLASSES, LAGS, VOICE_UNITS, Entry
from training.experiments.seeds.net import causal

Tensor = Any
LOWEST_CLASS = 9
"""Pitch class of A0, the lowest of the 88 keys."""
RARE = -3.0
"""Initial bias of the probabilities of single keys, as a logit. It is negative because few keys sound at a time."""


class DiaryNet:
    """Builds the net of an entry (one experiment), as up to three models that share their layers.

    The model `fit` returns the probabilities of all voices [B, T, voices, width + 1]; the last column is the pause.
    With the head of single keys there is one voice, and the pause is 0. `drawn` returns the notes that a conditional
    head has drawn, in the same shape. `read` returns the shares with which the history user reads earlier steps, [B, T,
    lags].
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        given = CLASSES if entry.body == "decoder" else entry.width
        inputs = {"now": keras.Input((None, given), name="now")}
        if entry.time:
            inputs["time"] = keras.Input((None, TIME_WIDTH), name="time")
        now, extra = inputs["now"], [inputs["time"]] if entry.time else []
        self.coefficients: Tensor | None = None
        self.drawn: Any = None
        self.read: Any = None
        if entry.body == "repeat":
            x = ops.concatenate([now, *self._history(now), *extra], axis=-1)
            told = recurrent(RepeatCell(entry.units[0], entry.voices, entry.width))(x)
            voices = layers.Reshape((-1, entry.voices, entry.width + 1))(told)
        else:
            features = self._body(now, extra)
            if entry.conditional:
                inputs["allowed"] = keras.Input((None, entry.width + 1), name="allowed")
                inputs["noise"] = keras.Input((None, entry.voices), name="noise")
                voices, drawn = self._conditional(features, inputs["allowed"], inputs["noise"])
                self.drawn = keras.Model(inputs, drawn, name="drawn")
            else:
                voices = self._independent(features, now)
        self.fit = keras.Model(inputs, voices, name="fit")
        if self.coefficients is not None:
            seen = {name: inputs[name] for name in ("now", "time") if name in inputs}
            self.read = keras.Model(seen, self.coefficients, name="read")

    def _history(self, now: Tensor) -> list[Tensor]:
        return [causal(now, lag) for lag in LAGS] if self.entry.history else []

    def _body(self, now: Tensor, extra: list[Tensor]) -> Tensor:
        """Return features [B, T, units] of the past, including the step `now`."""
        entry, units = self.entry, self.entry.units
        if entry.body == "latency":
            return recurrent(LatencyCell(units[0]))(ops.concatenate([now, *extra], axis=-1))
        if entry.body == "capsules":
            each = [
                layers.LSTM(units[0], return_sequences=True)(ops.concatenate([vector, *extra], axis=-1))
                for vector in (now, *self._history(now))
            ]
            return layers.LSTM(units[1], return_sequences=True)(ops.concatenate(each, axis=-1))
        if entry.body == "history-user":
            x = ops.concatenate([now, *extra], axis=-1)
            reader = layers.LSTM(units[0], return_sequences=True, name="reader")(x)
            self.coefficients = layers.Dense(len(LAGS), activation="softmax", name="coefficients")(reader)
            past = ops.stack(self._history(now), axis=2)
            read = ops.sum(self.coefficients[..., None] * past, axis=2)
            local = layers.LSTM(units[1], return_sequences=True, name="local")(x)
            return layers.LSTM(units[2], return_sequences=True)(ops.concatenate([local, read], axis=-1))
        y = ops.concatenate([now, *self._history(now), *extra], axis=-1)
        for own in units:
            y = layers.LSTM(own, return_sequences=True)(y)
        return y

    def _independent(self, features: Tensor, now: Tensor) -> Tensor:
        entry = self.entry
        if entry.head == "voices":
            told = layers.Dense(entry.voices * (entry.width + 1))(features)
            return ops.softmax(layers.Reshape((-1, entry.voices, entry.width + 1))(told), axis=-1)
        sure = layers.Dense(
            entry.width, activation="sigmoid", bias_initializer=keras.initializers.Constant(RARE), name="keys"
        )(features)
        if entry.body == "decoder":
            sure = sure * spread(now)
        return ops.pad(sure, ((0, 0), (0, 0), (0, 1)))[:, :, None]

    def _conditional(self, features: Tensor, allowed: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the probabilities and the drawn notes of all voices, each [B, T, voices, width + 1].

        Each voice reads the notes of the voices before it, and draws its own note by its probabilities, among the
        `allowed` notes. In the fit the true notes are allowed, so that the next voice learns after a right note. In
        generation all notes and the pause are allowed.
        """
        entry = self.entry
        already = ops.zeros_like(allowed[..., : entry.width])
        voices, notes = [], []
        for voice in range(entry.voices):
            y = ops.concatenate([features, already], axis=-1)
            if entry.head == "conditional-lstm":
                y = layers.LSTM(VOICE_UNITS, return_sequences=True, name=f"voice_{voice}")(y)
            voices.append(layers.Dense(entry.width + 1, activation="softmax", name=f"note_{voice}")(y))
            note = ops.stop_gradient(draw(voices[-1] * allowed, noise[..., voice]))
            already = ops.maximum(already, note[..., : entry.width])
            notes.append(note)
        return ops.stack(voices, axis=2), ops.stack(notes, axis=2)


def draw(shares: Tensor, noise: Tensor) -> Tensor:
    """Draw one column of `shares` [..., n] with a probability in proportion to it. Return it one-hot, [..., n].

    `noise` [...] holds a random number from 0 to 1 for each draw.
    """
    edges = ops.cumsum(shares, axis=-1)
    at = ops.sum(ops.cast(edges <= noise[..., None] * edges[..., -1:], "int32"), axis=-1)
    return ops.one_hot(ops.minimum(at, shares.shape[-1] - 1), shares.shape[-1], dtype="float32")


def spread(classes: Tensor) -> Tensor:
    """Return the values of 88 keys [..., 88]: each key gets the value of its pitch class in `classes` [..., 12]."""
    return ops.concatenate([classes[..., LOWEST_CLASS:], *[classes] * 7, classes[..., :1]], axis=-1)


def sounding(voices: Tensor, crutch: bool) -> Tensor:
    """Return the probability p that at least one voice draws each note, [..., width].

    `voices` [..., voices, width + 1] are the probabilities p_i of each voice. Each voice adds (1 - p) p_i to p. If
    `crutch` is true, the gradient through 1 - p is stopped.
    """
    sure = ops.zeros_like(voices[..., 0, :-1])
    for voice in range(voices.shape[-2]):
        rest = 1.0 - sure
        sure = sure + (ops.stop_gradient(rest) if crutch else rest) * voices[..., voice, :-1]
    return sure


def loss_of(entry: Entry) -> Any:
    """Return the loss function of `entry`. It gets targets [B, T, width + 1] and the probabilities of the voices.

    The loss is in nats a step, averaged over the steps inside the songs. It is the binary cross-entropy of all notes.
    The pause loss, if the entry has it, adds that of the pauses. The net predicts a pause if all voices pause.
    """

    def binary(true: Tensor, sure: Tensor) -> Tensor:
        sure = ops.clip(sure, 1e-6, 1 - 1e-6)
        return -(true * ops.log(sure) + (1.0 - true) * ops.log1p(-sure))

    def loss(targets: Tensor, voices: Tensor) -> Tensor:
        true, weight = targets[..., :-1], targets[..., -1]
        total = ops.sum(binary(true, sounding(voices, entry.crutch)), axis=-1)
        if entry.pause:
            silent = 1.0 - ops.max(true, axis=-1)
            total = total + binary(silent, ops.prod(voices[..., -1], axis=-1))
        return ops.sum(total * weight) / ops.maximum(ops.sum(weight), 1.0)

    return loss
