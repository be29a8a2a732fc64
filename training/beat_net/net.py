"""Defines the net: a recurrent net that carries a place in the beat and a tempo of its own.

At each onset the place moves on by the gap (as in a phase-locked loop). A GRU reads the place, as sines and cosines of
1 to `HARMONICS` times its angle, and the inputs. It answers with a posterior over `PLACES` places in the beat, counted
from its own place. The posterior's circular mean pulls the place, and two small outputs correct place and tempo.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from device.following.beat_net import (
    BENDS,
    FASTEST,
    GAP,
    HARMONICS,
    MOVES,
    PLACES,
    PULL,
    SLOWEST,
    STATIC,
    UNITS,
    Weights,
)
from training.beat_net.inputs import GAP_UNITS, LOG_GAP, TAP, WIDTH

HIDDEN = 96
"""Size of the layer before the answer."""
BACK = 3
"""The second answer is about the onset so many onsets before. The box does not use it."""
BLUNT = 0.2
"""Share of the gradient through place and tempo that is stopped at each onset."""
SPREAD = 0.7
"""Spread in places of the answer that is asked for."""
FIRST_SPREAD, LEAST_ANSWER = 2.0, 0.03
"""Spread in places of a new net's answers, and the least weight of a place beside 1 for its own."""
OUTPUTS = 2 * PLACES + 3
"""Logits of the place now and BACK onsets before; its own place before and after the correction; its tempo."""
ANGLES = 2 * np.pi * np.arange(PLACES) / PLACES
SHARE_BACK, SHARE_OWN, SHARE_TEMPO, TEMPO_BEND = 0.7, 0.5, 0.7, 0.2
"""Shares of the second answer, of the own place and of the tempo in the loss; where the loss of the tempo is linear."""


@keras.saving.register_keras_serializable("lefthand")
class PlaceCell(keras.layers.Layer):
    """One onset: inputs [b, WIDTH] and states (GRU [b, UNITS], place [b, 1] in beats, log tempo [b, 1])."""

    state_size = (UNITS, 1, 1)
    output_size = OUTPUTS

    def build(self, _: Any) -> None:
        """Make the weights."""
        own = 2 * HARMONICS + GAP[2] + 1
        matrix = self.add_weight
        self.static = matrix((STATIC, 3 * UNITS), initializer=keras.initializers.VarianceScaling(4.0, "fan_in"))
        self.own = matrix((own, 3 * UNITS), initializer=keras.initializers.VarianceScaling(4.0, "fan_in"))
        self.past = matrix((UNITS, 3 * UNITS), initializer=keras.initializers.Orthogonal())
        self.bias = matrix((3 * UNITS,), initializer=_first_bias)
        self.past_bias = matrix((UNITS,), initializer="zeros")
        self.hidden = matrix((UNITS, HIDDEN), initializer="lecun_normal")
        self.hidden_bias = matrix((HIDDEN,), initializer="zeros")
        self.answer = matrix((HIDDEN, 2 * PLACES), initializer=keras.initializers.VarianceScaling(0.1, "fan_in"))
        self.answer_bias = matrix((2 * PLACES,), initializer=_first_answer)
        self.correct = matrix((UNITS, 2), initializer=keras.initializers.VarianceScaling(0.01, "fan_in"))
        self.correct_bias = matrix((2,), initializer="zeros")
        self.built = True

    def call(self, inputs: Any, states: Any) -> tuple[Any, list[Any]]:
        """Return the outputs [b, OUTPUTS] and the new states."""
        memory, place, tempo = states
        place, tempo = _blunted(place), _blunted(tempo)
        log_gap, units, tap = (inputs[:, i : i + 1] for i in (LOG_GAP, GAP_UNITS, TAP))
        place = place + units * ops.exp(-np.log(2.0) * tempo)
        place = (place - ops.floor(place)) * (1 - tap)
        seen = self._seen(ops.stop_gradient(place), ops.stop_gradient(tempo), log_gap)
        new = ops.matmul(inputs[:, :STATIC], self.static) + ops.matmul(seen, self.own) + self.bias
        old = ops.matmul(memory, self.past)
        gates = ops.sigmoid(new[:, : 2 * UNITS] + old[:, : 2 * UNITS])
        keep, reset = gates[:, :UNITS], gates[:, UNITS:]
        fresh = ops.tanh(new[:, 2 * UNITS :] + reset * (old[:, 2 * UNITS :] + self.past_bias))
        memory = keep * memory + (1 - keep) * fresh
        hidden = ops.relu(ops.matmul(memory, self.hidden) + self.hidden_bias)
        logits = ops.matmul(hidden, self.answer) + self.answer_bias
        corrections = ops.tanh(ops.matmul(memory, self.correct) + self.correct_bias) * (1 - tap)
        moved = place + ops.stop_gradient(_mean_place(logits[:, :PLACES]) * PULL * (1 - tap))
        moved = moved + MOVES * corrections[:, :1]
        tempo = ops.clip(tempo + BENDS * corrections[:, 1:], SLOWEST, FASTEST)
        return ops.concatenate((logits, place, moved, tempo), -1), [memory, moved, tempo]

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Return the states before the first onset: all zero, so the beat has one unit."""
        return [ops.zeros((batch_size, size)) for size in self.state_size]

    def _seen(self, place: Any, tempo: Any, log_gap: Any) -> Any:
        angle = 2 * np.pi * place * np.arange(1, HARMONICS + 1, dtype=np.float32)
        lowest, per, number = GAP
        at = ops.clip((log_gap - tempo - lowest) * per, 0, number - 1)
        bins = ops.relu(1 - ops.abs(at - np.arange(number, dtype=np.float32)))
        return ops.concatenate((ops.cos(angle), ops.sin(angle), bins, tempo), -1)


def _first_bias(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Return the first biases: 1 for the gate that keeps the memory."""
    return ops.cast(np.arange(shape[0]) < UNITS, dtype or "float32")


def _first_answer(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Return the first logits: the net's own place is right, so a new net goes on as the taps do."""
    away = np.minimum(np.arange(PLACES), PLACES - np.arange(PLACES)) / FIRST_SPREAD
    return ops.cast(np.log(np.exp(-0.5 * away**2) + LEAST_ANSWER)[np.arange(shape[0]) % PLACES], dtype or "float32")


def _blunted(state: Any) -> Any:
    """Return `state` with a part of its gradient stopped, so that errors do not grow over many onsets."""
    return (1 - BLUNT) * state + BLUNT * ops.stop_gradient(state)


def _mean_place(logits: Any) -> Any:
    """Return the mean place [b, 1] in beats of a posterior, times how much its places agree (0 to 1)."""
    share = ops.softmax(logits, -1)
    x = ops.sum(share * np.cos(ANGLES).astype(np.float32), -1, keepdims=True)
    y = ops.sum(share * np.sin(ANGLES).astype(np.float32), -1, keepdims=True)
    return ops.sqrt(x * x + y * y + 1e-12) * ops.arctan2(y, x + 1e-12) / (2 * np.pi)


def beat_net() -> Any:
    """Return a new net. It turns inputs [b, n, WIDTH] into outputs [b, n, OUTPUTS]."""
    layer = keras.layers.RNN(PlaceCell(name="place"), return_sequences=True)
    return keras.Sequential([keras.layers.Input((None, WIDTH)), layer])


def for_the_box(net: Any) -> Weights:
    """Return the weights as the box uses them: without the second answer, rounded to float16 and stored as float32."""
    cell = net.layers[0].cell
    found = {name: np.asarray(ops.convert_to_numpy(getattr(cell, name))) for name in Weights._fields}
    found["answer"], found["answer_bias"] = found["answer"][:, :PLACES], found["answer_bias"][:PLACES]
    return Weights(**{name: value.astype(np.float16).astype(np.float32) for name, value in found.items()})


def _asked(off: Any) -> Any:
    """Return the shares [..., PLACES] that are asked for if the true place is `off` [...] beats after the net's own."""
    away = off[..., None] * PLACES - np.arange(PLACES, dtype=np.float32)
    away = away - PLACES * ops.round(away / PLACES)
    share = ops.exp(-0.5 * (away / SPREAD) ** 2)
    return share / ops.sum(share, -1, keepdims=True)


def loss(true: Any, out: Any) -> Any:
    """Return the loss of outputs [b, n, OUTPUTS], a scalar.

    `true` [b, n, 3] has the true place in beats, the binary logarithm of the beat in units, and the onset's weight.
    """
    place, tempo, weight = true[..., 0], true[..., 1], true[..., 2]
    own, moved, found = (out[..., 2 * PLACES + i] for i in range(3))
    own = ops.stop_gradient(own)
    total = ops.sum(weight) + 1e-6
    now = -ops.sum(_asked(place - own) * ops.log_softmax(out[..., :PLACES], -1), -1)
    back = _asked((place - own)[:, :-BACK]) * ops.log_softmax(out[:, BACK:, PLACES : 2 * PLACES], -1)
    weight_back = weight[:, :-BACK] * weight[:, BACK:]
    off = ops.abs(found - tempo)
    bent = ops.where(off < TEMPO_BEND, off * off / (2 * TEMPO_BEND), off - TEMPO_BEND / 2)
    near = 1 - ops.cos(2 * np.pi * (moved - place))
    rest = ops.sum(weight * (now + SHARE_OWN * near + SHARE_TEMPO * bent)) / total
    return rest - SHARE_BACK * ops.sum(weight_back * ops.sum(back, -1)) / (ops.sum(weight_back) + 1e-6)


def right(true: Any, out: Any) -> Any:
    """Return the share of the onsets whose place is within 1/8 of a beat of the true one, a scalar."""
    own = out[..., 2 * PLACES]
    at = own + ops.cast(ops.argmax(out[..., :PLACES], -1), own.dtype) / PLACES
    off = at - true[..., 0]
    off = ops.abs(off - ops.round(off))
    weight = true[..., 2]
    return ops.sum(weight * ops.cast(off <= 0.125, weight.dtype)) / (ops.sum(weight) + 1e-6)
