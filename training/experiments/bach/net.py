"""Builds and fits the net of the Bach document: an embedding of 3, LSTMs of 6, 12 and 6, and a linear output of 512.

The dropouts behind the LSTMs are .2, .3 and .3. The net is fitted on whole chorales, in batches of 64. No state passes
from one batch to the next.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from device.errors import UserError
from training.experiments.bach.corpus import Chorale4, CorpusChoice, Vocabulary, choose, count_tokens

UNITS = (6, 12, 6)
DROPOUTS = (0.2, 0.3, 0.3)
"""Share of values set to 0 behind each LSTM during the fit."""
EMBEDDING = 3
"""Width of the embedding in the document. `choose` computes the width that the rule of thumb gives for the corpus."""
OUTPUTS = 512
"""Size of the linear output, and so the largest vocabulary."""
BATCH = 64
EPOCHS, RATE = 40, 1e-2
HELD_BACK = 10
"""Every tenth chorale is held back, to compute the validation loss."""
WEIGHTS, CONFIG = "bach.weights.h5", "config.json"
PICKS = ("greedy", "top-k", "top-p", "temperature")

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Sampling:
    """Describes the way to choose the next token.

    If `pick` is "greedy", the likeliest token is taken. The other ways draw a token by its probability: "top-k" among
    the `k` likeliest, "top-p" among the likeliest that together reach the probability `p`, and "temperature" among all.
    `temperature` divides the logits in every case but "greedy". Raises UserError if a value is not allowed.
    """

    pick: str = "temperature"
    k: int = 5
    p: float = 0.9
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.pick not in PICKS:
            raise UserError(f"--pick {self.pick} is none of {', '.join(PICKS)}.")
        if self.k < 1 or not 0 < self.p <= 1 or self.temperature <= 0:
            raise UserError("--k must be at least 1, --p above 0 and at most 1, and --temperature above 0.")

    def shares(self, logits: Array) -> Array:
        """Return the probability [tokens] that each token is chosen next, from the net's `logits` [tokens].

        The probabilities add up to 1. "greedy" gives 1 to the likeliest token. "top-k" and "top-p" give 0 to
        the tokens that they leave out.
        """
        if self.pick == "greedy":
            return np.eye(len(logits))[np.argmax(logits)]
        z = (logits - logits.max()).astype(np.float64) / self.temperature
        shares = np.exp(z) / np.exp(z).sum()
        order = np.argsort(-shares, kind="stable")
        if self.pick == "top-k":
            shares[order[self.k :]] = 0
        elif self.pick == "top-p":
            ranked = shares[order]
            shares[order[np.cumsum(ranked) - ranked >= self.p]] = 0
        return np.asarray(shares / shares.sum())


def build(tokens: int, embedding: int = EMBEDDING) -> keras.Model:
    """Return a new net, from token numbers [B, T] to logits [B, T, OUTPUTS]. Padding (number 0) is masked.

    Raises UserError if the vocabulary is larger than the output.
    """
    if tokens > OUTPUTS:
        raise UserError(f"{tokens} tokens are more than the {OUTPUTS} outputs.")
    numbers = keras.Input((None,), dtype="int32", name="numbers")
    y = layers.Embedding(OUTPUTS, embedding, mask_zero=True)(numbers)
    for units, dropout in zip(UNITS, DROPOUTS, strict=True):
        y = layers.Dropout(dropout)(layers.LSTM(units, return_sequences=True)(y))
    return keras.Model(numbers, layers.Dense(OUTPUTS, name="out")(y), name="bach")


def padded(numbers: list[Array], sequence: int) -> Array:
    """Return the token numbers of several chorales in one array, int32 [chorales, sequence].

    Zeros fill the rest of each row. A chorale with more than `sequence` tokens is cut.
    """
    out = np.zeros((len(numbers), sequence), np.int32)
    for row, own in zip(out, numbers, strict=True):
        row[: len(own)] = own[:sequence]
    return out


@dataclass
class Bach:
    """Holds a fitted net, its vocabulary, and the facts about its fit."""

    model: keras.Model
    vocabulary: Vocabulary
    about: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Bach:
        """Load and return the fit in `folder`. Raises UserError if there is none."""
        if not (folder / CONFIG).is_file():
            raise UserError(f"There is no fit in {folder}: run `python -m training seeds --action fit --family bach`.")
        about = json.loads((folder / CONFIG).read_text())
        model = build(len(about["tokens"]))
        model.load_weights(str(folder / WEIGHTS))
        pitches = {token: tuple(own) for token, own in about["pitches"].items()}
        return cls(model, Vocabulary(about["tokens"], pitches), about)

    def continued(self, start: list[int], length: int, sampling: Sampling, seed: int = 1) -> list[int]:
        """Continue the token numbers `start` up to `length` tokens, and return all of them.

        `PADDING` and `UNKNOWN` are never chosen. The same `seed` gives the same tokens.
        """
        rng = np.random.default_rng(seed)
        numbers = np.zeros((1, length), np.int32)
        numbers[0, : len(start)] = start
        for at in range(len(start), length):
            # the net is causal, so the zeros behind `at` do not change its answer
            logits = np.array(self.model.predict_on_batch(numbers))[0, at - 1, : len(self.vocabulary.tokens)]
            logits[:2] = -np.inf
            shares = np.concatenate([np.zeros(2), sampling.shares(logits[2:])])
            numbers[0, at] = rng.choice(len(shares), p=shares)
        return [int(n) for n in numbers[0]]


def fit_bach(found: list[Chorale4], folder: Path, epochs: int = EPOCHS) -> Bach:
    """Fit a net on those of the chorales `found` that `choose` keeps, and return it.

    Its weights, its history, TensorBoard's files and the vocabulary are written into `folder`.
    """
    began = time.process_time()
    keras.utils.set_random_seed(1)
    choice: CorpusChoice = choose(found, len(count_tokens(found)))
    vocabulary = Vocabulary.of(choice.kept, OUTPUTS)
    events = padded([vocabulary.numbers(chorale) for chorale in choice.kept], choice.sequence)
    back = np.arange(len(events)) % HELD_BACK == HELD_BACK - 1
    model = build(len(vocabulary.tokens))
    steps = epochs * math.ceil((~back).sum() / BATCH)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(RATE, steps, 0.02), clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
    )
    folder.mkdir(parents=True, exist_ok=True)
    history = model.fit(
        events[~back, :-1],
        events[~back, 1:],
        batch_size=BATCH,
        epochs=epochs,
        validation_data=(events[back, :-1], events[back, 1:]) if back.any() else None,
        callbacks=[
            keras.callbacks.CSVLogger(str(folder / "history.csv")),
            keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
        ],
        verbose=0,
    ).history
    model.save_weights(str(folder / WEIGHTS))
    about = {
        "about": "Bach's chorales as notes, chords and rests; embedding 3, LSTM 6-12-6, dropouts, output 512",
        "tokens": vocabulary.tokens,
        "pitches": vocabulary.pitches,
        "chorales": len(choice.kept),
        "sequence": choice.sequence,
        "parameters": model.count_params(),
        "cpu_s": round(time.process_time() - began, 1),
        **{name: round(float(values[-1]), 4) for name, values in history.items() if "loss" in name},
    }
    (folder / CONFIG).write_text(json.dumps(about, indent=1))
    return Bach(model, vocabulary, about)
