"""Writes songs for both hands, from silence, with the diary's nets (see setup.py).

If an experiment says so, its net goes on learning from the song while it writes it.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from device.events import KEYS, LOWEST_KEY
from training.experiments.music_generation.data import inputs
from training.experiments.music_generation.net import DiaryNet, loss_of
from training.experiments.music_generation.setup import CLASSES, Entry

BAR = 16
"""Number of sixteenths in a bar. Generated songs are in 4/4."""
LOW_HAND, HIGH_HAND = 48, 60
"""Lowest MIDI pitches of the octaves in which pitch classes are played if there is no decoder, one octave each hand."""

Array = npt.NDArray[Any]


def generate(net: DiaryNet, steps: int, songs: int = 1, seed: int = 1) -> Array:
    """Write songs from silence, and return the notes of each step, bool [songs, steps, width].

    `songs` is the number of songs, and `steps` the length of each in sixteenths. At each step the net reads the whole
    song so far. If the entry learns during generation, the net is trained before each step, and gets its fitted weights
    back at the end. The same `seed` gives the same random numbers.
    """
    entry = net.entry
    rng = np.random.default_rng(seed)
    positions = np.tile(np.arange(steps) % BAR, (songs, 1))
    known = np.zeros((songs, steps, entry.width), np.float32)
    # every note and the pause may be drawn; the random numbers of past steps stay, so their notes are drawn again
    x = inputs(entry, known, np.ones_like(known), positions, rng)
    if entry.conditional:
        x["allowed"][:] = 1.0
    told = np.zeros((songs, steps, entry.width), bool)
    learner = Learner(net) if entry.meta else None
    for step in range(steps):
        if learner and step:
            learner.learn(x, told, step)
        if entry.conditional:
            notes = np.asarray(net.drawn.predict_on_batch(x))[:, step] > 0.5
            told[:, step] = notes[..., : entry.width].any(axis=1)
        else:
            told[:, step] = drawn_apart(entry, np.asarray(net.fit.predict_on_batch(x))[:, step], rng)
        if step + 1 < steps:
            x["now"][:, step + 1] = told[:, step]
    if learner:
        learner.forget()
    return told


def drawn_apart(entry: Entry, voices: Array, rng: np.random.Generator) -> Array:
    """Draw the notes of one step, bool [songs, width], from voices that do not know each other's notes.

    `voices` [songs, voices, width + 1] are the probabilities from the net. The last column is the pause. Each voice
    draws one note or the pause. If `entry.head` is "keys", there is one voice, and each key is drawn by itself.
    """
    if entry.head == "keys":
        return np.asarray(rng.random(voices[:, 0, :-1].shape) < voices[:, 0, :-1])
    edges = np.cumsum(voices, axis=-1)
    at = (edges <= rng.random(edges.shape[:-1])[..., None] * edges[..., -1:]).sum(axis=-1)
    return np.asarray(np.eye(entry.width + 1, dtype=bool)[np.minimum(at, entry.width)][..., :-1].any(axis=1))


class Learner:
    """Trains the net during generation, on the steps generated so far, before each new step.

    If `Entry.meta` is "reset", each training begins with the fitted weights. If it is "moving", the changes are kept.
    """

    def __init__(self, net: DiaryNet) -> None:
        self.net, self.entry = net, net.entry
        net.fit.compile(keras.optimizers.Adam(self.entry.meta_rate), loss=loss_of(self.entry))
        net.fit.optimizer.build(net.fit.trainable_variables)
        self.fitted = [np.array(v.value) for v in net.fit.variables]
        self.fresh = [np.array(v.value) for v in net.fit.optimizer.variables]

    def learn(self, x: dict[str, Array], told: Array, step: int) -> None:
        """Train the net on the first `step` steps of the songs `told` [songs, T, width].

        `x` has the net's inputs. The entry says how many training steps are made.
        """
        if self.entry.meta == "reset":
            self.forget()
        targets = np.zeros((*told.shape[:2], told.shape[2] + 1), np.float32)
        targets[:, :step, :-1], targets[:, :step, -1] = told[:, :step], 1.0
        for _ in range(self.entry.meta_steps):
            self.net.fit.train_on_batch(x, targets)

    def forget(self) -> None:
        """Give the net its fitted weights again, and reset the optimiser."""
        for variable, value in zip(self.net.fit.variables, self.fitted, strict=True):
            variable.assign(value)
        for variable, value in zip(self.net.fit.optimizer.variables, self.fresh, strict=True):
            variable.assign(value)


def keys_of(told: Array, decoder: DiaryNet | None, seed: int = 1) -> Array:
    """Return the piano keys, bool [songs, T, 88], of the generated vectors `told` [songs, T, width].

    Vectors of 88 keys are returned as they are. For pitch classes the decoder gives each key a probability, by which
    the key is drawn. The likeliest key of each wanted pitch class always sounds. Without a decoder the pitch classes
    sound in the octave from C3.
    """
    if told.shape[-1] == KEYS:
        return told
    pitch_class = (np.arange(KEYS) + LOWEST_KEY) % CLASSES
    if decoder is None:
        out = np.zeros((*told.shape[:2], KEYS), bool)
        out[..., LOW_HAND - LOWEST_KEY : LOW_HAND - LOWEST_KEY + CLASSES] = told
        return out
    rng = np.random.default_rng(seed)
    positions = np.tile(np.arange(told.shape[1]) % BAR, (len(told), 1))
    x = inputs(decoder.entry, told, told, positions, rng)
    sure = np.asarray(decoder.fit.predict_on_batch(x))[:, :, 0, :KEYS]
    out = rng.random(sure.shape) < sure
    for own in range(CLASSES):
        columns = np.flatnonzero(pitch_class == own)
        likeliest = columns[np.argmax(sure[..., columns], axis=-1)]
        np.put_along_axis(
            out,
            likeliest[..., None],
            np.take_along_axis(out, likeliest[..., None], -1) | told[..., own, None],
            -1,
        )
    return np.asarray(out & told[..., pitch_class])


def both_hands(keys: Array) -> tuple[Array, Array]:
    """Divide keys [T, 88] into two hands, and return the right hand from middle C up and the left hand below it."""
    split = HIGH_HAND - LOWEST_KEY
    right, left = keys.copy(), keys.copy()
    right[:, :split], left[:, split:] = False, False
    return right, left
