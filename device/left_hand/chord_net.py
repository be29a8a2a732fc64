"""A small recurrent net that finds the chord of the coming beat from the right hand alone.

It knows the 12 major and the 12 minor triads. It runs once a beat, so numpy is fast enough for it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.left_hand.figure_bank import GROUPS, group_of

FILE = Path(__file__).with_name("chord_net.npz")
BEAT_INPUTS = 4 * 12 + 4 + len(GROUPS) + 2
"""Number of inputs.

By pitch class: durations, onsets, top key and held keys. Then the beat in the bar, the metre, silence and bar line.
"""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def beat_inputs(first: Ints, end: Ints, pitch: Ints, now: int, beat: int, meter: Meter) -> Floats:
    """Return the net's input for the beat that begins at grid step `now`, float32 [BEAT_INPUTS].

    It describes the beat before `now`. `first` and `end`, in grid steps, and `pitch`, in MIDI numbers, are the notes
    that sound in that beat. `beat` is the number of the coming beat in its bar, from 0.
    """
    size = meter.steps_per_beat
    x = np.zeros(BEAT_INPUTS, np.float32)
    start = now - size
    overlap = np.minimum(end, now) - np.maximum(first, start)
    on = overlap > 0
    first, end, pitch, overlap = first[on], end[on], pitch[on], overlap[on]
    classes = pitch % 12
    if len(pitch):
        np.add.at(x[0:12], classes, overlap / size)
        x[12 + classes[first >= start]] = 1.0
        for step in range(start, now):
            sounding = pitch[(first <= step) & (end > step)]
            if len(sounding):
                x[24 + int(sounding.max()) % 12] += 1.0 / size
        x[36 + classes[end >= now]] = 1.0
        x[0:12] = np.minimum(x[0:12], 1.0)
    x[48 + min(beat, 3)] = 1.0
    group = group_of(meter)
    if group is not None:
        x[52 + group] = 1.0
    x[52 + len(GROUPS)] = float(not len(pitch))
    x[53 + len(GROUPS)] = float(beat == 0)
    return x


class ChordNet:
    """One GRU layer (with the `reset_after` of Keras) and one dense layer, in float32.

    The products are computed with `einsum`. A matrix product of this size would start the threads of the BLAS library,
    which cost more than they save and disturb the other threads of the box.
    """

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Take the arrays that `training.figure_bank.chords` writes.

        With n units they are: kernel [BEAT_INPUTS, 3 n], recurrent [n, 3 n], bias [2, 3 n], out [n, 36], out_bias [36].
        """
        self._kernel, self._recurrent, self._bias, self._out, self._out_bias = (
            arrays[name].astype(np.float32) for name in ("kernel", "recurrent", "bias", "out", "out_bias")
        )
        self._units = len(self._recurrent)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._state = np.zeros(self._units, np.float32)

    def beat(self, x: Floats) -> tuple[Floats, Floats]:
        """Take the input of one beat, [BEAT_INPUTS], and return two arrays of log-probabilities.

        The first is for the triad of the coming beat, [24]. The second is for the pitch class of the melody, [12].
        """
        n = self._units
        inside = np.einsum("i,ij->j", x, self._kernel) + self._bias[0]
        past = np.einsum("i,ij->j", self._state, self._recurrent) + self._bias[1]
        keep = _sigmoid(inside[:n] + past[:n])
        reset = _sigmoid(inside[n : 2 * n] + past[n : 2 * n])
        new = np.tanh(inside[2 * n :] + reset * past[2 * n :])
        self._state = keep * self._state + (1 - keep) * new
        logits = np.einsum("i,ij->j", self._state, self._out) + self._out_bias
        return _log_share(logits[:24]), _log_share(logits[24:])


def _log_share(logits: Floats) -> Floats:
    logits = logits - logits.max()
    return np.asarray(logits - np.log(np.exp(logits).sum()), np.float32)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x), np.float32)


@cache
def shipped_arrays() -> dict[str, npt.NDArray[Any]]:
    """Return the weights in the package. The file is read once."""
    with np.load(FILE, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}
