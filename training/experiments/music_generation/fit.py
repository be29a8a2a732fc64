"""Fits the net of one experiment (`Entry`) from the MusicGeneration diary, and keeps it in a folder.

The folder holds the weights, the history and the configuration. An entry with `like` is not fitted: it copies
the weights of another entry.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import keras

from device.errors import UserError
from training.experiments.music_generation.data import FRAGMENT, Fragments
from training.experiments.music_generation.net import DiaryNet, loss_of
from training.experiments.music_generation.setup import ENTRIES, Entry
from training.experiments.seeds.data import Song
from training.fitting import divided, feed, unresumed_callbacks

BATCH = {12: 16, 88: 8}
"""Number of fragments in a batch, by the width of the vectors. 88 keys cost more time, so their batches are smaller."""
EPOCH_STEPS = 20
"""Most batches between two computations of the validation loss."""
VALID_BATCHES = 6
"""Number of batches of validation songs for the validation loss. They are the same in each epoch."""
WEIGHTS, CONFIG = "diary.weights.h5", "config.json"


def fit(
    entry: Entry, found: list[Song], valid: list[Song], folder: Path, steps: int = FRAGMENT, batch: int | None = None
) -> DiaryNet:
    """Fit the net of `entry` on random fragments of `steps` sixteenths, write it into `folder`, and return it.

    An entry with `like` is not fitted. It gets the weights of the entry `like` from the folder of that name next to
    `folder`. Raises UserError if they are missing.
    """
    began, batch = time.process_time(), batch or BATCH[entry.width]
    keras.utils.set_random_seed(1)
    net = DiaryNet(entry)
    folder.mkdir(parents=True, exist_ok=True)
    about: dict[str, Any] = {**entry.to_dict(), "parameters": net.fit.count_params(), "songs": len(found)}
    if entry.like:
        weights = folder.parent / entry.like / WEIGHTS
        if not weights.is_file():
            raise UserError(f"{entry.name} uses the weights of {entry.like}: fit that first, --family {entry.like}.")
        net.fit.load_weights(str(weights))
        about["val_loss"] = json.loads((weights.parent / CONFIG).read_text())["val_loss"]
    else:
        epochs, epoch_steps = divided(entry.steps, EPOCH_STEPS)
        batches = feed(Fragments(found, entry, batch, steps=steps).at, epoch_steps)
        unheard = Fragments(valid, entry, batch, seed=2, steps=steps)
        schedule = keras.optimizers.schedules.CosineDecay(entry.rate, entry.steps, 0.02)
        net.fit.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), loss=loss_of(entry))
        history = net.fit.fit(
            batches,
            epochs=epochs,
            validation_data=feed(unheard.at, VALID_BATCHES),
            callbacks=unresumed_callbacks(folder, batches),
            verbose=2,
        ).history
        about["val_loss"] = round(float(history["val_loss"][-1]), 4)
    net.fit.save_weights(str(folder / WEIGHTS))
    about["cpu_s"] = round(time.process_time() - began, 1)
    (folder / CONFIG).write_text(json.dumps(about, indent=1))
    return net


def load(folder: Path) -> tuple[DiaryNet, dict[str, Any]]:
    """Load a fit from its folder. Return the net and the facts about the fit. Raises UserError if there is none."""
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder.name} has not been fitted: run it with --action fit first.")
    about = json.loads((folder / CONFIG).read_text())
    own = {key: value for key, value in about.items() if key in Entry.__dataclass_fields__}
    net = DiaryNet(Entry(**{**own, "units": tuple(own["units"])}))
    net.fit.load_weights(str(folder / WEIGHTS))
    return net, about


def decoder_beside(folder: Path) -> DiaryNet | None:
    """Return the fitted net that turns pitch classes into keys, or None if it was not fitted.

    It is read from its own folder next to `folder`.
    """
    own = folder.parent / "mg-decoder"
    return load(own)[0] if (own / CONFIG).is_file() and "mg-decoder" in ENTRIES else None
