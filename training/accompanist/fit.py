"""Fits the accompanist on random stretches of pieces, with AdamW and a cosine schedule of the learning rate.

The best and the last weights are stored.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from device.errors import UserError
from training.accompanist.data import GAP_STEPS, Sequence, sequences
from training.options import CACHE, SEED

STRETCH = 192
"""Number of steps in a training example. 192 steps are 48 beats, which is long enough to establish a key."""
FROM_START = 0.15
"""Share of examples that begin at the start of the piece."""
UNHEARD = 0.1
"""Weight of a step in the loss if nothing was heard for two bars. The device is silent at such a step."""

WARM_UP = 100
"""Number of steps in which the learning rate rises to its peak. Larger first steps make the fit unstable."""

Array = npt.NDArray[np.float32]


def stretch(sequence: Sequence, first: int) -> tuple[Array, Array]:
    """Return a training example: the inputs and targets of `sequence` from step `first` on.

    The inputs are float32 [STRETCH, INPUT_SIZE]. The targets [STRETCH, 29] have the form that `loss` takes. Their last
    value is the weight of the step, which is 0 after the piece's end.
    """
    part = slice(first, first + STRETCH)
    raw, targets = sequence.x[part], sequence.targets
    x = np.zeros((STRETCH, raw.shape[1]), np.float32)
    x[: len(raw)] = raw.astype(np.float32) / 255
    y = np.zeros((STRETCH, 29), np.float32)
    rows = y[: len(raw)]
    rows[:, :12] = targets.sounding[part]
    rows[:, 12:24] = targets.ahead[part] / np.float32(4)
    rows[:, 24] = targets.bass[part]
    rows[:, 25:28] = targets.strike[part]
    rows[:, 28] = np.where(heard_lately(x[: len(raw)]), 1.0, UNHEARD)
    return x, y


def heard_lately(x: Array) -> npt.NDArray[np.bool_]:
    """Return for each step, as bool, whether the right hand was heard a short time ago.

    It was if a right-hand key is down, or if an onset came within the last two bars of four beats.
    """
    from device.left_hand.net_input import GLOBAL_NAMES, PITCH_CHANNELS

    plain = x[:, 12 * len(PITCH_CHANNELS) :]
    age = plain[:, GLOBAL_NAMES.index("age 32")]
    return np.asarray((plain[:, GLOBAL_NAMES.index("sounds")] > 0) | (age >= math.exp(-1.0)))


@dataclass
class Stretches:
    """Returns batches of random stretches.

    Longer pieces are chosen more often. A batch depends only on (seed, step).
    """

    pieces: list[Sequence]
    batch: int
    seed: int

    def __post_init__(self) -> None:
        lengths = np.array([len(piece.x) for piece in self.pieces], np.float64)
        self._share = np.cumsum(lengths / lengths.sum())

    def at(self, step: int) -> tuple[Array, Array]:
        """Return batch number `step`: x [batch, STRETCH, INPUT_SIZE] and targets [batch, STRETCH, 29]."""
        rng = np.random.default_rng([self.seed, step])
        rows = []
        for draw in rng.random(self.batch):
            piece = self.pieces[min(int(np.searchsorted(self._share, draw)), len(self.pieces) - 1)]
            last = max(0, len(piece.x) - STRETCH)
            rows.append(stretch(piece, 0 if rng.random() < FROM_START else int(rng.integers(last + 1))))
        return np.stack([x for x, _ in rows]), np.stack([y for _, y in rows])


def fixed_stretches(pieces: list[Sequence], each: int = 3) -> tuple[Array, Array]:
    """Return `each` fixed stretches of every piece, for validation.

    The result is the pair of inputs [N, STRETCH, INPUT_SIZE] and targets [N, STRETCH, 29].
    """
    rows = [
        stretch(piece, int(first)) for piece in pieces for first in np.linspace(0, max(0, len(piece.x) - STRETCH), each)
    ]
    return np.stack([x for x, _ in rows]), np.stack([y for _, y in rows])


@click.command()
@CACHE
@click.option("--name", default="accompanist", show_default=True, help="Folder of the fit in CACHE/fits.")
@click.option("--corpora", default="pop909,lieder,chopin", show_default=True, help="Corpora of the fit.")
@click.option("--hearings", default=2, show_default=True, help="Hearings of each piece, each with other errors.")
@click.option("--steps", default=2400, show_default=True, help="Training steps, more than 100.")
@click.option("--epoch-steps", default=100, show_default=True, help="Steps between validations and checkpoints.")
@click.option("--batch", default=32, show_default=True, help="Stretches in a batch.")
@click.option("--rate", default=3e-3, show_default=True, help="Peak learning rate.")
@click.option("--patience", default=10, show_default=True, help="Validations without improvement before the fit stops.")
@SEED
@click.option("--net", "changes", default="{}", help='JSON changes to the net, e.g. {"plain_channels": 48}.')
def accompany(
    cache: Path,
    name: str,
    corpora: str,
    hearings: int,
    steps: int,
    epoch_steps: int,
    batch: int,
    rate: float,
    patience: int,
    seed: int,
    changes: str,
) -> None:
    """Fit the accompanist on the prepared pieces. Run it again to resume a fit."""
    if steps <= WARM_UP:
        raise UserError(
            f"--steps {steps} is too few: the learning rate rises for {WARM_UP} steps and falls after them, so give "
            f"{WARM_UP + 1} or more."
        )
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    from training.fitting import callbacks, feed

    named = corpora.split(",")
    train = list(sequences(cache, named, "train", hearings, seed))
    valid = list(sequences(cache, named, "valid", 1, seed))
    folder = cache / "fits" / name
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(seed)
    options: dict[str, Any] = json.loads(changes)
    model = _compiled_model(options, steps, rate)
    about = {
        "net": options,
        "seed": seed,
        "steps": steps,
        "batch": batch,
        "stretch_steps": STRETCH,
        "gap_steps": GAP_STEPS,
        "rate": rate,
        "corpora": named,
        "pieces": {"train": len({s.name for s in train}), "valid": len(valid)},
        "parameters": model.count_params(),
    }
    (folder / "config.json").write_text(json.dumps(about, indent=1))
    total = sum(len(s.x) for s in train)
    click.echo(
        f"{model.count_params()} parameters, {total} steps of music, {steps} batches of {batch} x {STRETCH} steps"
    )
    batches = feed(Stretches(train, batch, seed).at, epoch_steps)
    model.fit(
        batches,
        epochs=math.ceil(steps / epoch_steps),
        validation_data=fixed_stretches(valid),
        validation_batch_size=batch,
        callbacks=callbacks(folder, patience, batches),
        verbose=2,
    )


def _compiled_model(options: dict[str, Any], steps: int, rate: float) -> Any:
    """Return a Keras model of the net with these `options`, ready for a fit of `steps` with the peak `rate`."""
    import keras

    from training.accompanist.net import AccompanistNet, loss, sequence_model

    model = sequence_model(AccompanistNet(**options), STRETCH)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, steps - WARM_UP, 0.01, warmup_target=rate, warmup_steps=WARM_UP
    )
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-3, clipnorm=1.0), loss=loss)
    return model


def load_net(folder: Path, which: str = "best") -> Any:
    """Return the `AccompanistNet` of the fit in `folder`, with the weights `which`: "best" or "last"."""
    from training.accompanist.net import AccompanistNet, sequence_model

    options = json.loads((folder / "config.json").read_text())["net"]
    net = AccompanistNet(**options)
    sequence_model(net, STRETCH).load_weights(str(folder / f"{which}.weights.h5"))
    return net
