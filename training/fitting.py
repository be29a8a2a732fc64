"""Parts that the fits of both models share: the feed of batches, and the callbacks of Keras."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

Batch = tuple[Any, Any]


class feed(keras.utils.PyDataset):  # noqa: N801 - read as a verb where it is used
    """Gives Keras each batch of a fit by the batch's number in the whole fit.

    So a resumed fit gets the batches that would have come next. `at` returns the batch with a number. An epoch has
    `epoch_steps` batches.
    """

    def __init__(self, at: Callable[[int], Batch], epoch_steps: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)
        self._at, self._steps, self.epoch = at, epoch_steps, 0

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, index: int) -> Batch:
        return self._at(self.epoch * self._steps + index)

    def follow(self, epoch: int, _: Any = None) -> None:
        """Set the number of the current epoch, also in a resumed fit."""
        self.epoch = epoch


def divided(steps: int, most: int) -> tuple[int, int]:
    """Return the number of epochs, and of batches in each, that make up a fit of `steps` batches.

    An epoch has at most `most` batches, and all have the same number. So the fit may be longer by fewer batches than it
    has epochs.
    """
    epochs = math.ceil(steps / most)
    return epochs, math.ceil(steps / epochs)


def unresumed_callbacks(folder: Path, batches: feed) -> list[Any]:
    """Return the callbacks of Keras for a short fit in `folder`, which is not resumed after a stop.

    They store the history in history.csv and TensorBoard's files in the folder tensorboard.
    """
    return [
        keras.callbacks.LambdaCallback(on_epoch_begin=batches.follow),
        keras.callbacks.CSVLogger(str(folder / "history.csv")),
        keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
    ]


def callbacks(folder: Path, patience: int, batches: feed) -> list[Any]:
    """Return the callbacks of Keras for a fit in `folder`.

    They store the best and the last weights, the history, TensorBoard's files, and a backup from which a stopped fit is
    resumed. They end the fit after `patience` epochs without improvement.
    """
    return [
        keras.callbacks.LambdaCallback(on_epoch_begin=batches.follow),
        keras.callbacks.BackupAndRestore(str(folder / "backup")),
        keras.callbacks.ModelCheckpoint(str(folder / "best.weights.h5"), save_best_only=True, save_weights_only=True),
        keras.callbacks.ModelCheckpoint(str(folder / "last.weights.h5"), save_weights_only=True),
        keras.callbacks.CSVLogger(str(folder / "history.csv"), append=True),
        keras.callbacks.TensorBoard(str(folder / "tensorboard"), write_graph=False),
        keras.callbacks.EarlyStopping(patience=patience),
    ]
