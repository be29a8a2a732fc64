"""Defines the losses of the seeds, which are early nets that accompany a melody.

`training.experiments.seeds.data.targets` defines the layout of the targets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from training.experiments.seeds.data import BILINEAR, NOTHING, PAUSE, VOICES
from training.experiments.seeds.net import Layout
from training.experiments.seeds.setup import Seed

Tensor = Any

STRUCK = 0.5
"""Loss weight of struck keys relative to sounding keys."""
CONSONANCE_WEIGHT = 0.3
"""Weight of consonance with the melody relative to the binary cross-entropy."""
DISTANCE_WEIGHT = 1.0
"""Weight of the distance loss relative to the binary cross-entropy, where both are used. Both are near 1 at first."""
STILL_BCE = 0.1
"""Weight of the binary cross-entropy in a reward-tuned fit. It keeps the policy close to its starting point."""

_STEPS_APART = np.abs(np.arange(12)[:, None] - np.arange(12)[None, :])
APART = (np.minimum(_STEPS_APART, 12 - _STEPS_APART) / 6.0).astype(np.float32)
"""Distance between two pitch classes on the shorter way round the octave, in units of 6 semitones, [12, 12]."""
A_SEMITONE = (np.isclose(APART, 1 / 6)).astype(np.float32)


def loss_of(setup: Seed) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loss function of `setup`. It gets targets and logits, both [B, T, ...].

    It returns the mean loss over the steps, weighted by each step's weight.
    """
    layout = Layout.of(setup)
    at = target_slices(setup, layout)

    def loss(true: Tensor, logits: Tensor) -> Tensor:
        total = 0.0
        for name, where in layout.slices.items():
            kind = name.split(".")[0]
            wanted, told = true[..., at[name]], logits[..., where]
            if kind in ("voices", "notes"):
                total += _softmaxes(wanted, told, setup.pauses)
            elif kind == "struck":
                total += STRUCK * _binary(wanted, told)
            elif kind == "sounding":
                total += _sounding(setup, wanted, told, true[..., at["melody"]], true[..., at["noise"]])
            else:
                total += _binary(wanted, told)
        weight = true[..., at["weight"]][..., 0]
        return ops.sum(total * weight) / ops.maximum(ops.sum(weight), 1.0)

    return loss


def target_slices(setup: Seed, layout: Layout) -> dict[str, slice]:
    """Return the place of each kind of target in the targets' last axis, by name.

    There is one slice for each head, then the slices of the melody, the noise and the weight.
    """
    at, first = {}, 0
    sizes = {n: VOICES if n.startswith(("voices", "notes")) else s.stop - s.start for n, s in layout.slices.items()}
    for name, size in {**sizes, "melody": 12, "noise": 24, "weight": 1}.items():
        at[name] = slice(first, first + size)
        first += size
    return at


def _binary(true: Tensor, logits: Tensor) -> Tensor:
    """Return the binary cross-entropy summed over keys, [B, T]."""
    return ops.sum(ops.softplus(logits) - true * logits, axis=-1)


def _softmaxes(true: Tensor, logits: Tensor, pauses: bool) -> Tensor:
    """Return the cross-entropy summed over `VOICES` softmaxes, [B, T].

    If `pauses` is false, voices whose target is a pause are left out.
    """
    total = 0.0
    for voice in range(VOICES):
        wanted, told = true[..., voice], logits[..., 13 * voice : 13 * (voice + 1)]
        counts = ops.cast(wanted < (NOTHING if pauses else PAUSE), "float32")
        one = ops.one_hot(ops.cast(ops.minimum(wanted, PAUSE), "int32"), 13)
        total += counts * (ops.logsumexp(told, axis=-1) - ops.sum(one * told, axis=-1))
    return total


def _sounding(setup: Seed, true: Tensor, logits: Tensor, melody: Tensor, noise: Tensor) -> Tensor:
    if setup.loss == "distance":
        return _distance(true, ops.sigmoid(logits))
    if setup.loss == "bce-distance":
        return _binary(true, logits) + DISTANCE_WEIGHT * _distance(true, ops.sigmoid(logits))
    if setup.loss == "consonance":
        fits = ops.sum(ops.matmul(melody, BILINEAR) * ops.sigmoid(logits), axis=-1)
        return _binary(true, logits) - CONSONANCE_WEIGHT * fits
    if setup.loss == "reward":
        return STILL_BCE * _binary(true, logits) + _policy(true, logits, melody, noise)
    return _binary(true, logits)


def _distance(true: Tensor, sure: Tensor) -> Tensor:
    """Return a loss [B, T] in which a false pitch class costs more, the further it is from the nearest true one.

    `sure` is the net's probability of each pitch class. A missed pitch class costs its full weight.
    """
    nearest = ops.min(APART + (1.0 - true)[..., None, :], axis=-1)
    return ops.sum(sure * ops.minimum(nearest, 1.0) + true * (1.0 - sure), axis=-1)


def _policy(true: Tensor, logits: Tensor, melody: Tensor, noise: Tensor) -> Tensor:
    """Return the policy-gradient loss (Williams 1992), [B, T], of two left hands drawn by the net's probabilities.

    From the reward of each left hand, the reward of the other one is subtracted.
    """
    draws = [ops.cast(noise[..., i : i + 12] < ops.sigmoid(logits), "float32") for i in (0, 12)]
    rewards = [reward(ops.stop_gradient(draw), true, melody) for draw in draws]
    return sum(
        0.5 * ops.stop_gradient(rewards[i] - rewards[1 - i]) * _binary(ops.stop_gradient(draws[i]), logits)
        for i in (0, 1)
    )


def reward(left: Tensor, true: Tensor, melody: Tensor) -> Tensor:
    """Return the reward of each step, [B, T]: mean consonance with the melody, minus 1 for a clash, plus agreement.

    A clash is a left-hand pitch class one semitone from the melody. Agreement is the F1 of the pitch classes with the
    true hand, so a rest where the true hand plays has agreement 0. If both rest, it is 1.
    """
    count = ops.sum(left, axis=-1)
    consonance = ops.sum(ops.matmul(melody, BILINEAR) * left, axis=-1) / ops.maximum(count, 1.0)
    clash = ops.minimum(ops.sum(ops.matmul(melody, A_SEMITONE) * left, axis=-1), 1.0)
    both = count + ops.sum(true, axis=-1)
    agreement = ops.where(both > 0, 2.0 * ops.sum(left * true, axis=-1) / ops.maximum(both, 1.0), 1.0)
    return consonance - clash + agreement
