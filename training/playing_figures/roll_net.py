"""Trains a second listener that needs no features: a small convolutional net over the piano rolls of both hands.

It needs Keras, which `make setup` installs. It is trained and tested as in `training.playing_figures.told_apart`:
cross-validated, with all windows of one piece in the same part.
"""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt

from training.playing_figures.listener import WINDOW_BARS
from training.playing_figures.panel import Roll
from training.playing_figures.told_apart import folds

STEPS = 16 * WINDOW_BARS
"""Sixteenths that the net sees: four bars of 4/4. A shorter window is filled with silence, a longer one is cut."""
LOWEST, KEYS = 24, 84
"""MIDI pitch of the lowest key that the net sees, and the number of keys: seven octaves from C1."""
CHANNELS = 4
"""Number of values for each key and step: right hand sounding and struck, left hand sounding and struck."""
FOLDS = 4
"""Number of parts of the cross-validation. The other listener has ten, but each part costs a training of the net."""
EPOCHS, BATCH = 20, 64
MOST_MOVED = 5
"""Greatest number of semitones by which a window is moved at random in training, so that its key shows nothing."""

Pictures = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def picture(right: Roll, hand: Roll, begin: int, bar: int) -> Pictures:
    """Return four bars of both hands as the input of the net, float32 [STEPS, KEYS, CHANNELS].

    They are the bars of `bar` steps from step `begin` on.
    """
    seen = np.zeros((STEPS, KEYS, CHANNELS), np.float32)
    span, keys = slice(begin, begin + min(STEPS, WINDOW_BARS * bar)), slice(LOWEST, LOWEST + KEYS)
    for channel, roll in enumerate((right.sounding, right.struck, hand.sounding, hand.struck)):
        part = roll[span, keys]
        seen[: len(part), :, channel] = part
    return seen


def net_accuracy(pictures: Pictures, y: Ints, groups: Ints, seed: int = 0) -> float:
    """Return the share of windows, 0 to 1, that the net assigns rightly after training on other pieces.

    `pictures` is [n, STEPS, KEYS, CHANNELS]. `y` [n] is 1 for the true hand and 0 for the other, and `groups` [n]
    numbers the pieces. NaN with fewer pieces than `FOLDS`.
    """
    if len(np.unique(groups)) < FOLDS:
        return float("nan")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras

    right = np.zeros(len(y), bool)
    for learn, judge in folds(groups, FOLDS, seed):
        keras.utils.set_random_seed(seed)
        net = keras.Sequential(
            [
                keras.Input((STEPS, KEYS, CHANNELS)),
                keras.layers.Conv2D(16, (4, 12), strides=(2, 3), activation="relu"),
                keras.layers.MaxPooling2D((2, 2)),
                keras.layers.Conv2D(32, (4, 3), activation="relu"),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dropout(0.3),
                keras.layers.Dense(1),
            ]
        )
        net.compile(keras.optimizers.Adam(2e-3), loss=keras.losses.BinaryCrossentropy(from_logits=True))
        rng = np.random.default_rng(seed)
        for _ in range(EPOCHS):
            order = rng.permutation(learn)
            # only whole batches: another size would be compiled again
            size = min(BATCH, len(order))
            for first in range(0, len(order) - size + 1, size):
                batch = order[first : first + size]
                moved = np.roll(pictures[batch], int(rng.integers(-MOST_MOVED, MOST_MOVED + 1)), axis=2)
                net.train_on_batch(moved, y[batch].astype(np.float32)[:, None])
        logits = np.asarray(net.predict(pictures[judge], batch_size=BATCH, verbose=0))[:, 0]
        right[judge] = (logits > 0) == (y[judge] == 1)
    return float(right.mean())
