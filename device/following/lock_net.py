"""Judges by the history of the clock whether its beat is right: a small recurrent net, of which `lock` is made.

What the clock knows at a beat cannot tell a slipped grid from the true one: both explain the last onsets. The history
can: an onset came late some beats ago, the grid moved with it, and since then the chords lie off the beat. At each
onset a GRU (`gru.py`) reads how far the grid moved, and how well the hypotheses, the net of the beat and the steady
grid agree. At a beat a small layer reads the GRU and the time since the last onset. Both are fitted on the beats
that the clock itself gives to simulated playing (`python -m training lock`).
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from device.following.bank import HypothesisBank
from device.following.gru import Gru
from device.following.lock_inputs import INPUTS, LockInputs, Shares
from device.following.rhythm import Floats
from device.following.weights import Singles, read_weights

UNITS, HIDDEN, SILENCES = 48, 48, 2
"""Sizes of the GRU and of the layer that reads it, and number of inputs that depend on the time since the last onset.
They hold three nets side by side, whose answers are averaged (`training.lock_net`)."""
LARGEST = 3.0
"""A scaled input is within this size."""
MOST_SILENT, LEAST_SILENT = 8.0, 0.05
"""Beats since the last onset: a longer silence counts as so many, and so many are added in the logarithm."""
FILE = Path(__file__).with_name("lock_net.npz")


class LockWeights(NamedTuple):
    """Weights of the net as float32 arrays, and mean and spread of the inputs, by the names in `training.lock_net`."""

    mean: Singles
    spread: Singles
    new: Singles
    past: Singles
    bias: Singles
    past_bias: Singles
    hidden: Singles
    hidden_bias: Singles
    answer: Singles
    answer_bias: Singles


@cache
def lock_weights() -> LockWeights:
    """Return the weights that are shipped."""
    return LockWeights(**read_weights(FILE))


def silence_inputs(beats: float) -> list[float]:
    """Return the inputs that depend on the time since the last onset, which is given in beats."""
    return [min(beats, MOST_SILENT) / 2, math.log(max(beats, 0.0) + LEAST_SILENT) / 2]


class LockNet:
    """Hears the onsets of one piece of music, one by one."""

    def __init__(self, inputs: LockInputs, weights: LockWeights | None = None) -> None:
        """Begin without a count-in. `weights`: those that are shipped if None."""
        self._inputs, self._weights = inputs, lock_weights() if weights is None else weights
        self._gru = Gru(self._weights.past, self._weights.past_bias)
        self.begin(None)

    def begin(self, counted_s: float | None) -> None:
        """Forget the history, because the player has given a grid with quarter notes of `counted_s` seconds."""
        self._inputs.counted_s = counted_s
        self._gru.forget()

    def hear(self, onset_s: float, before: HypothesisBank | None, lead: HypothesisBank, shares: Shares) -> None:
        """Use an onset at `onset_s` seconds, after which other hypotheses lead: see `LockInputs.after`."""
        self.step(self._inputs.after(onset_s, before, lead, shares))

    def step(self, inputs: Floats) -> None:
        """Let the GRU read the inputs [INPUTS] after an onset."""
        w = self._weights
        self._gru.step(_scaled(inputs, w.mean[:INPUTS], w.spread[:INPUTS]) @ w.new + w.bias)

    def log_odds(self, silent_beats: float) -> float:
        """Return the log odds that a beat is right that comes so many beats after the last onset."""
        w = self._weights
        silence = _scaled(np.array(silence_inputs(silent_beats)), w.mean[INPUTS:], w.spread[INPUTS:])
        hidden = np.tanh(np.concatenate((self._gru.memory, silence)) @ w.hidden + w.hidden_bias)
        return float(hidden @ w.answer) + float(w.answer_bias[0])


def _scaled(inputs: Floats, mean: Singles, spread: Singles) -> Singles:
    scaled = (inputs.astype(np.float32) - mean) / spread
    np.maximum(scaled, -LARGEST, out=scaled)
    return np.minimum(scaled, LARGEST, out=scaled)
