"""Fits one seed, an early net that accompanies a melody, on the songs of a split.

The fit writes the weights, the history of the loss, the thresholds and the CPU time into its folder.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import keras

from device.errors import UserError
from training.experiments.seeds.data import Song, SongStretches
from training.experiments.seeds.loss import loss_of
from training.experiments.seeds.net import SeedNet
from training.experiments.seeds.play import Thresholds, fit_thresholds
from training.experiments.seeds.setup import Seed
from training.fitting import divided, feed, unresumed_callbacks

BATCH_STEPS = 2048
"""Sixteenth steps of music per batch for any stretch length, so that every fit sees the same amount of music."""
EPOCH_STEPS = 100
WARM_UP = 50
VALID_BATCHES = 8
"""Number of batches of validation songs for the validation loss. They are the same in each epoch."""
WEIGHTS, CONFIG = "seed.weights.h5", "config.json"


def fit(
    setup: Seed, found: list[Song], folder: Path, valid: list[Song], batch_steps: int = BATCH_STEPS
) -> tuple[SeedNet, Thresholds]:
    """Fit the net of `setup` on random stretches of the songs `found`. Return the net and its thresholds.

    The fit is written into `folder`. After every `EPOCH_STEPS` steps the loss on stretches of the songs `valid` is
    computed. Both losses go into `history.csv` and into TensorBoard's files in `folder / "tensorboard"`.

    If `setup.like` names another configuration, its fitted weights are the initial weights. They are read from its
    folder next to `folder`. Raises UserError if they are missing.
    """
    began = time.process_time()
    keras.utils.set_random_seed(1)
    net = SeedNet(setup)
    model = net.sequence()
    if setup.like:
        begin_with(setup, model, folder.parent / setup.like / WEIGHTS)
    stretches = SongStretches(found, setup, max(1, batch_steps // setup.stretch))
    folder.mkdir(parents=True, exist_ok=True)
    if setup.steps:
        warm = min(WARM_UP, setup.steps // 2)
        schedule = keras.optimizers.schedules.CosineDecay(
            setup.rate / 20, setup.steps - warm, 0.02, warmup_target=setup.rate, warmup_steps=warm
        )
        model.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-3, clipnorm=1.0), loss=loss_of(setup))
        epochs, epoch_steps = divided(setup.steps, EPOCH_STEPS)
        batches = feed(stretches.at, epoch_steps)
        unheard = SongStretches(valid, setup, max(1, batch_steps // setup.stretch), seed=2)
        model.fit(
            batches,
            epochs=epochs,
            validation_data=feed(unheard.at, VALID_BATCHES),
            callbacks=unresumed_callbacks(folder, batches),
            verbose=2,
        )
    thresholds = fit_thresholds(setup, net, stretches)
    model.save_weights(str(folder / WEIGHTS))
    about: dict[str, Any] = {
        **setup.to_dict(),
        "parameters": model.count_params(),
        "cpu_s": round(time.process_time() - began, 1),
        "thresholds": thresholds,
        "songs": len(found),
    }
    (folder / CONFIG).write_text(json.dumps(about, indent=1))
    return net, thresholds


def begin_with(setup: Seed, model: keras.Model, weights: Path) -> None:
    """Load the weights of the configuration `setup.like` into `model`. Raises UserError if they are missing."""
    if not weights.is_file():
        raise UserError(f"{setup.name} begins with {setup.like}: fit that first, with --family {setup.like}.")
    model.load_weights(str(weights))


def load(folder: Path) -> tuple[SeedNet, Thresholds]:
    """Load and return the net and thresholds of the fit in `folder`. Raises UserError if there is no fit."""
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder.name} has not been fitted: run it with --action fit first.")
    about = json.loads((folder / CONFIG).read_text())
    net = SeedNet(Seed.from_dict(about))
    net.sequence().load_weights(str(folder / WEIGHTS))
    thresholds: Thresholds = about["thresholds"]
    return net, thresholds
