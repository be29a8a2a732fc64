"""A small recurrent net that finds the chord of the coming half beat from the right hand alone.

It knows the 12 major and the 12 minor triads. It runs once each half beat, so numpy is fast enough for it. Its weights
are the same for all keys: if the music is transposed, its answers are transposed and otherwise the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.left_hand.figure_bank import GROUPS, group_of

FILE = Path(__file__).with_name("chord_net.npz")
CHANNELS = ("duration", "on the half beat", "later", "highest", "lowest", "held", "recently", "lately")
"""Inputs for each pitch class. They describe the half beat before; the last two describe the time before it."""
HEARD = 6
"""Number of the first of `CHANNELS` that are computed from the half beat before alone."""
PLACE_NAMES = (
    *(f"beat {n}" for n in range(4)),
    *("half beat", "silent", "bar line", "half bar", "age"),
    *(f"bar {n} of 4" for n in range(4)),
    *(f"metre {size}/{beat}" for size, beat in GROUPS),
)
"""Names of the inputs that do not depend on the pitch."""
PLACES = len(PLACE_NAMES)
MEMORY = np.exp(-1.0 / np.array([[16.0], [128.0]], np.float32))
"""Factors of "recently" and "lately" in each half beat. They make a pitch class weigh 1/e after 8 and 64 beats."""
AGE = 8.0
"""Number of half beats of silence after which the input "age" is 1/e."""
HEADS = (("triads", 2), ("top", 1), ("hindsight", 2))
"""Name of each output, and its number of values for each pitch class, see `Answer`."""
DELAY = 4
"""Half beats between the triad of "hindsight" and the coming half beat."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answer:
    """Holds the net's answer at the start of a half beat, as log-probabilities.

    `triads` [24] is for the triad of the half bar in which the coming half beat lies. `top` [12] is for the pitch class
    of the melody at the start of the half beat. `hindsight` [24] is for the triad that held `DELAY` half beats before.
    """

    triads: Floats
    top: Floats
    hindsight: Floats


def half_beat(step: Step) -> int:
    """Return the number of grid steps in a half beat, at least 1."""
    return max(step.meter.steps_per_beat // 2, 1)


def half_bar(step: Step) -> int:
    """Return the number of grid steps in a half bar, or in the whole bar if its middle is not on a quarter."""
    bar = step.meter.steps_per_bar
    return bar // 2 if bar % 8 == 0 else bar


def heard_inputs(first: Ints, end: Ints, pitch: Ints, now: int, size: int) -> Floats:
    """Return the inputs that describe the `size` grid steps before step `now`, float32 [HEARD, 12].

    `first` and `end`, in grid steps, and `pitch`, in MIDI numbers, are the known notes that sound in these steps. A
    note that is still down ends at `now` or later.
    """
    x = np.zeros((HEARD, 12), np.float32)
    start = now - size
    notes = list(zip(first.tolist(), end.tolist(), pitch.tolist(), strict=True))
    for step in range(start, now):
        keys = [p for a, b, p in notes if a <= step < b]
        for pitch_class in {key % 12 for key in keys}:
            x[0, pitch_class] += 1.0 / size
            if step == now - 1:
                x[5, pitch_class] = 1.0
        if keys:
            x[3, max(keys) % 12] += 1.0 / size
            x[4, min(keys) % 12] += 1.0 / size
    for a, _, p in notes:
        # a note of the step before may not have been known at the half beat before
        if start - 1 <= a < now:
            x[1 if a == start else 2, p % 12] = 1.0
    return x


def place_inputs(step: Step, bar: int, silent: int) -> Floats:
    """Return the inputs that describe the place of the half beat that begins at `step`, float32 [PLACES].

    `bar` counts the bars from 0. `silent` is the number of half beats before `step` in which nothing sounded.
    """
    x = np.zeros(PLACES, np.float32)
    x[min(step.beat, 3)] = 1.0
    x[4:9] = (
        float(not step.is_beat),
        float(silent > 0),
        float(step.is_bar),
        float(step.position % half_bar(step) == 0),
        np.exp(-silent / AGE),
    )
    x[9 + bar % 4] = 1.0
    group = group_of(step.meter)
    if group is not None:
        x[13 + group] = 1.0
    return x


class GruState(NamedTuple):
    """Holds the state of a `GruLayer`, and what both layers make of it."""

    values: Floats
    """[units, 12]"""
    sums: Floats
    """[3 units + outputs, 12]: what the state adds to the next gates, and then the outputs, both without their bias."""


class GruLayer:
    """Holds a GRU layer (with the `reset_after` of Keras) and a dense layer after it, in float32.

    The weights depend only on the interval between two pitch classes. So only one row for each interval is kept, a
    twelfth of the whole matrix, and the inputs are put in the order of the intervals for each pitch class. The products
    are so small that the BLAS library starts no threads for them. Threads would disturb the others of the box.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Build the layers from arrays of weights. Raises KeyError if one is missing.

        With n units for each pitch class they are: heard [12, channels, 3 n], past [12, n, 3 n], out [12, n, outputs],
        place [PLACES, 3 n], bias [2, 3 n], out_bias [outputs]. The first axis is the interval from the pitch class that
        is read to the one that is written.
        """
        small = {name: array.astype(np.float32) for name, array in arrays.items()}
        self._heard = _Intervals(small["heard"])
        self._of_state = _Intervals(np.concatenate((small["past"], small["out"]), axis=2))
        self._place = small["place"]
        self._bias = small["bias"][:, :, None]
        self._out_bias = small["out_bias"][:, None]
        self.units: int = small["past"].shape[1]
        sums = small["bias"].shape[1] + len(self._out_bias)
        self.first = GruState(np.zeros((self.units, 12), np.float32), np.zeros((sums, 12), np.float32))
        """The state before the first inputs."""

    def inputs(self, heard: Floats, place: Floats) -> Floats:
        """Return what the inputs `heard` [channels, 12] and `place` [PLACES] add to the gates.

        The result [3 units, 12] is for `after`.
        """
        inside = self._heard.product(heard)
        inside += (place @ self._place)[:, None]
        inside += self._bias[0]
        return inside

    def after(self, state: GruState, inside: Floats) -> GruState:
        """Return the GRU's state after `state`. `inside` [3 units, 12] comes from `inputs` and stays as it is."""
        n = self.units
        past = state.sums[: 3 * n] + self._bias[1]
        gates = _sigmoid(inside[: 2 * n] + past[: 2 * n])
        keep, reset = gates[:n], gates[n:]
        new = reset * past[2 * n :]
        new += inside[2 * n :]
        np.tanh(new, out=new)
        new *= 1 - keep
        keep *= state.values
        keep += new
        return GruState(keep, self._of_state.product(keep))

    def out(self, state: GruState) -> Floats:
        """Return the outputs [outputs, 12] of the dense layer for a state."""
        return np.asarray(state.sums[3 * self.units :] + self._out_bias)


class ChordNet:
    """Runs the chord net: one GRU layer and one dense layer, see `GruLayer`."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Build the net from the arrays that `training.figure_bank.chords` writes, see `GruLayer`.

        Raises KeyError if one is missing.
        """
        self._layer = GruLayer(arrays)
        self.reset()

    def reset(self) -> None:
        """Forget the music so far: set the state of the GRU and the memory of pitch classes to zero."""
        self._state = self._layer.first
        self._memory = np.zeros((2, 12), np.float32)
        self.heard = np.zeros((len(CHANNELS), 12), np.float32)
        """The latest inputs [CHANNELS, 12], with the memory of pitch classes."""

    def at(self, heard: Floats, place: Floats) -> Answer:
        """Add the half beat that has just ended to the net's state, and return the answer for the coming half beat.

        `heard` [HEARD, 12] describes the half beat that has ended, see `heard_inputs`. `place` [PLACES] describes the
        place of the coming one, see `place_inputs`.
        """
        self._memory = self._memory * MEMORY + heard[0]
        memory = self._memory / np.maximum(np.maximum.reduce(self._memory, 1, keepdims=True), 1.0)
        self.heard = np.concatenate((heard, memory))
        self._state = self._layer.after(self._state, self._layer.inputs(self.heard, place))
        logits = self._layer.out(self._state).ravel()
        return Answer(log_share(logits[:24]), log_share(logits[24:36]), log_share(logits[36:60]))


class _Intervals:
    """Holds weights [12, a, b] that are the same for every pitch class: one matrix [a, b] for each interval."""

    def __init__(self, weights: Floats) -> None:
        _, read, written = weights.shape
        self._weights = np.ascontiguousarray(weights.transpose(2, 1, 0).reshape(written, 12 * read))
        """[b, 12 a] with column 12 i + d for the input i that lies d semitones below the output."""
        number, interval, pitch_class = np.ix_(np.arange(read), np.arange(12), np.arange(12))
        self._order = (12 * number + (pitch_class - interval) % 12).reshape(12 * read, 12)
        """[12 a, 12] index of the input that each of these columns reads for each pitch class that is written."""

    def product(self, x: Floats) -> Floats:
        """Return the sums [b, 12] of the inputs `x` [a, 12], times their weights, for each pitch class."""
        return np.asarray(self._weights @ x.take(self._order), np.float32)


def log_share(logits: Floats) -> Floats:
    """Return the natural logarithms of the probabilities (softmax) of `logits` [n]."""
    logits = logits - np.maximum.reduce(logits)
    logits -= np.log(np.add.reduce(np.exp(logits)))
    return logits


def _sigmoid(x: Floats) -> Floats:
    x = 0.5 * x
    np.tanh(x, out=x)
    x *= 0.5
    x += 0.5
    return x


@cache
def shipped_arrays() -> dict[str, npt.NDArray[Any]]:
    """Read the weights of the chord net from the package and return them by name. The file is read only once."""
    with np.load(FILE, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}
