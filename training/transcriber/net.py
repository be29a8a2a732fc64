"""The transcriber's net. One step takes a frame of features and states, and returns posteriors for the 88 keys.

A frame passes through five parts. Harmonic stacking gives each key the levels at its own partials (octave, twelfth, and
so on) as channels. The trunk is a stack of causal convolutions over time and frequency. The mix combines keys that
share partials. One GRU, which all keys share, is the memory. Four heads give the outputs. `TranscriberNet.call` takes
any number of frames. Training uses many frames, the exported model uses one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from device.events import KEYS, LOWEST_KEY, MIDDLE_C
from device.hearing.features import FeatureSpec
from device.hearing.gate_spec import OCTAVES, GateSpec

Tensor: TypeAlias = Any

HEADS = ("onset", "frame", "offset", "velocity")
PRIORS = (0.01, 0.04, 0.01, 0.5)
"""Outputs of a net before it is fitted, in the order onset, frame, offset, velocity.

The first three are about the share of frames and keys that have one. If they were one half, a fit would need its first
hundred steps to learn that notes are rare (Lin et al. 2017, section 3.3).
"""
BINS_PER_KEY = 3
"""Frequency bins of the features for each key."""


@dataclass(frozen=True)
class NetConfig:
    """The shape of the transcriber's net.

    `width` is the number of channels of the trunk, and `blocks` the number of its convolutions after the first. `mix`
    is the number of channels after the mix, and `memory` the number of units of the GRU.
    """

    harmonics: tuple[int, ...] = (-12, 0, 12, 19, 24, 28, 31, 34, 36)
    """Semitones from a key to the partials in its input: the suboctave, the key itself, partials 2 to 8."""
    width: int = 24
    blocks: int = 2
    neighbours: tuple[int, ...] = (-24, -19, -12, 12, 19, 24)
    """Semitones from a key to other keys with coinciding partials."""
    mix: int = 32
    memory: int = 40
    delay_frames: int = 3
    """Look-ahead in frames: at frame k + delay, the net outputs the posteriors of frame k."""
    later: tuple[int, ...] = (0,) * OCTAVES
    """Additional frames of look-ahead, one number per octave from A0. Low notes take longer to distinguish."""

    def delays(self) -> npt.NDArray[np.int64]:
        """Return the look-ahead of each key in frames, [88]."""
        return GateSpec(delay_frames=self.delay_frames, later=self.later).delays()

    def to_dict(self) -> dict[str, Any]:
        """Return the values as a dict for `config.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> NetConfig:
        """Return the config with the values `d`, which `to_dict` has written to `config.json`.

        Raises TypeError for an unknown name.
        """
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in d.items()}
        return cls(**values)


def views(x: Tensor, shifts: tuple[int, ...], size: int) -> list[Tensor]:
    """Return one shifted copy of the 4-D tensor `x` for each of `shifts`: out[i] = x[i + shift] along axis 2.

    Each copy has `size` positions on this axis. Positions outside `x` are zero.
    """
    before, after = max(0, -min(shifts, default=0)), max(0, max(shifts, default=0) + size - int(x.shape[2]))
    # One pad for all shifts: an int8 step takes an eighth less time than with one pad per shift.
    padded = ops.pad(x, [[0, 0], [0, 0], [before, after], [0, 0]])
    return [padded[:, :, before + shift : before + shift + size] for shift in shifts]


def product(x: Tensor, kernel: Tensor, single: bool) -> Tensor:
    """Return x [..., 88, inputs] times kernel [inputs, outputs].

    If `single` is true, x has one frame, as in the exported model, and the product is a 1 x 1 convolution. The int8
    conversion gives the weights of each output of a convolution their own scale, but a matrix has one scale for all
    outputs (`export.conversion.convert`). For many frames a convolution would be slower than the matrix product.
    """
    if not single:
        return ops.matmul(x, kernel)
    return ops.conv(x, kernel[None, None], data_format="channels_last")


def side_by_side(parts: list[Tensor]) -> Tensor:
    """Return the tensors `parts`, concatenated on their last axis, five at a time.

    XNNPACK, which runs the exported model, cannot concatenate more than five at once. Slower kernels would then run.
    """
    while len(parts) > 1:
        parts = [ops.concatenate(parts[i : i + 5], axis=-1) for i in range(0, len(parts), 5)]
    return parts[0]


class TranscriberNet(keras.layers.Layer):
    """The transcriber's net: it maps frames and states to logits and next states.

    The states are what the net remembers of earlier frames. The sigmoid of a logit is a number from 0 to 1. See the
    docstring of this module for the parts of the net.
    """

    def __init__(self, config: NetConfig, spec: FeatureSpec, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config, self.spec = config, spec
        width = config.width
        self.stem = keras.layers.Conv2D(width, (3, 1), use_bias=False, name="stem")
        self.stem_norm = keras.layers.BatchNormalization(name="stem_norm")
        # Zero at first: own notes have no effect until a fit has learnt from scenes that contain them.
        self.own_in = keras.layers.Conv2D(width, (1, 3), use_bias=False, kernel_initializer="zeros", name="own_in")
        self.convs = [keras.layers.Conv2D(width, (3, 3), use_bias=False, name=f"conv{i}") for i in range(config.blocks)]
        self.norms = [keras.layers.BatchNormalization(name=f"norm{i}") for i in range(config.blocks)]
        self.mix = keras.layers.Conv2D(config.mix, (1, 1), use_bias=False, name="mix")
        self.mix_norm = keras.layers.BatchNormalization(name="mix_norm")
        self.gates_in = keras.layers.Dense(3 * config.memory, name="gates_in")
        self.gates_memory = keras.layers.Dense(3 * config.memory, name="gates_memory")
        rare = keras.initializers.Constant(np.log(PRIORS) - np.log1p(np.negative(PRIORS)))
        self.heads = keras.layers.Dense(len(HEADS), bias_initializer=rare, name="heads")

    def build(self, _: Any) -> None:
        """Create the weights of every sub-layer. They do not depend on the number of frames."""
        c, spec = self.config, self.spec
        self.key_offset = self.add_weight(shape=(KEYS, c.mix), initializer="zeros", name="key_offset")
        self.stem.build((None, None, KEYS, len(c.harmonics) * BINS_PER_KEY * spec.channels))
        self.own_in.build((None, None, KEYS, 2))
        self.stem_norm.build((None, None, KEYS, c.width))
        for conv, norm in zip(self.convs, self.norms, strict=True):
            conv.build((None, None, KEYS, c.width))
            norm.build((None, None, KEYS, c.width))
        self.mix.build((None, None, KEYS, c.width * (1 + len(c.neighbours))))
        self.mix_norm.build((None, None, KEYS, c.mix))
        self.gates_in.build((None, None, KEYS, c.mix))
        self.gates_memory.build((None, c.memory))
        self.heads.build((None, None, KEYS, c.memory + c.mix))
        self.built = True

    def zero_states(self, batch: int) -> dict[str, Tensor]:
        """Return the states before the first frame: tensors of zeros [batch, ...], by name."""
        c, spec = self.config, self.spec
        semitones = (spec.bins // BINS_PER_KEY, BINS_PER_KEY * spec.channels)
        states = {"state_frames": ops.zeros((batch, 2, *semitones))}
        for i in range(c.blocks):
            states[f"state_conv{i}"] = ops.zeros((batch, 2, KEYS, c.width))
        states["state_memory"] = ops.zeros((batch, KEYS, c.memory))
        return states

    def call(self, x: Tensor, own: Tensor, states: dict[str, Tensor], training: bool = False) -> Any:
        """Return the logits [batch, frames, 88, 4] and the next states.

        `x` [batch, frames, bins, channels] are the features. `own` [batch, frames, 88, 2] are the notes that the box
        sent. `states` are the states before the first of these frames.
        """
        c = self.config
        after: dict[str, Tensor] = {}
        semitones = ops.reshape(x, (-1, x.shape[1], *states["state_frames"].shape[2:]))
        frames = ops.concatenate([states["state_frames"], semitones], axis=1)
        after["next_frames"] = frames[:, -2:]
        # Each norm follows its convolution directly. The converter merges both, so int8 rounds once, not three times.
        y = self.stem_norm(self.stem(side_by_side(views(frames, c.harmonics, KEYS))), training=training)
        y = ops.relu(y + self.own_in(ops.pad(own, [[0, 0], [0, 0], [1, 1], [0, 0]])))
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            past = ops.concatenate([states[f"state_conv{i}"], y], axis=1)
            after[f"next_conv{i}"] = past[:, -2:]
            y = ops.relu(y + norm(conv(ops.pad(past, [[0, 0], [0, 0], [1, 1], [0, 0]])), training=training))
        alike = side_by_side([y, *views(y, c.neighbours, KEYS)])
        y = self.seen(ops.relu(self.mix_norm(self.mix(alike), training=training) + self.key_offset))
        single = x.shape[1] == 1
        gates = product(y, self.gates_in.kernel, single) + self.gates_in.bias
        memory, after["next_memory"] = self._remember(gates, states["state_memory"])
        # This is one Dense over [memory, y] without concatenation. int8 would give a concatenation one scale, and
        # memory has the smaller values.
        kernel = self.heads.kernel
        logits = product(memory, kernel[: c.memory], single)
        logits = logits + (product(y, kernel[c.memory :], single) + self.heads.bias)
        return logits, after

    def seen(self, y: Tensor) -> Tensor:
        """Return the trunk's output [batch, frames, 88, mix] for memory and heads. A subclass can change it."""
        return y

    def _remember(self, gates: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Run a GRU (Cho et al. 2014, reset after the product) over the frames. All keys share its weights.

        Returns the memory after each frame [batch, frames, 88, units], and the memory after the last frame.
        """

        units, single = self.config.memory, gates.shape[1] == 1
        kernel, bias = self.gates_memory.kernel, self.gates_memory.bias

        def step(h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
            # Reshaped before slicing: int8 slices, adds and multiplies tensors of three axes faster than of four.
            u = ops.reshape(product(h[:, None], kernel, single) + bias, (-1, KEYS, 3 * units))
            z = ops.sigmoid(g[..., :units] + u[..., :units])
            r = ops.sigmoid(g[..., units : 2 * units] + u[..., units : 2 * units])
            n = ops.tanh(g[..., 2 * units :] + r * u[..., 2 * units :])
            # `export.conversion.memory` recognises a memory by this form and keeps it in floats.
            h = z * h + (1 - z) * n
            return h, h

        if single:
            memory, _ = step(memory, ops.reshape(gates, (-1, KEYS, 3 * units)))
            return memory[:, None], memory
        memory, seen = ops.scan(step, memory, ops.moveaxis(gates, 1, 0))
        return ops.moveaxis(seen, 0, 1), memory


class _Sequence(keras.layers.Layer):
    """Runs the net over a whole sequence from zero states, and returns only the logits."""

    def __init__(self, net: TranscriberNet, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.net = net

    def call(self, x: Tensor, own: Tensor, training: bool = False) -> Tensor:
        """Return the logits [batch, frames, 88, 4]. For `x` and `own` see `TranscriberNet.call`."""
        logits, _ = self.net(x, own, self.net.zero_states(ops.shape(x)[0]), training=training)
        return logits


def build_sequence(net: TranscriberNet, frames: int | None) -> keras.Model:
    """Return the model for training. Its inputs are `x` and `own` for `frames` frames, its outputs are the logits."""
    x = keras.Input((frames, net.spec.bins, net.spec.channels), name="x")
    own = keras.Input((frames, KEYS, 2), name="own")
    return keras.Model({"x": x, "own": own}, _Sequence(net, name="sequence")(x, own), name="transcriber")


def build_net(config: NetConfig, spec: FeatureSpec, weights: Path | None = None) -> TranscriberNet:
    """Return a net, with the weights of a fit if `weights` is given."""
    net = TranscriberNet(config, spec, name="net")
    sequence = build_sequence(net, 2)
    if weights is not None:
        sequence.load_weights(weights)
    return net


def build_step(config: NetConfig, spec: FeatureSpec, weights: Path | None = None) -> keras.Model:
    """Return the model for export: one frame in, posteriors out.

    The inputs are `x` [1, 1, bins, channels], `own` [1, 1, 88, 2] and the states `state_*`. The outputs are the
    posteriors `y` [1, 88, 4] (0 to 1, in the order of HEADS) and the next states `next_*`.
    """
    net = build_net(config, spec, weights)
    x = keras.Input(batch_shape=(1, 1, spec.bins, spec.channels), name="x")
    own = keras.Input(batch_shape=(1, 1, KEYS, 2), name="own")
    states = {k: keras.Input(batch_shape=tuple(v.shape), name=k) for k, v in net.zero_states(1).items()}
    logits, after = net(x, own, states)
    return keras.Model(
        {"x": x, "own": own, **states},
        {"y": ops.sigmoid(ops.reshape(logits, (1, KEYS, len(HEADS)))), **after},
        name="transcriber_step",
    )


@dataclass(frozen=True)
class LossWeights:
    """Weights of the heads' errors in the loss."""

    onset: float = 100
    frame: float = 30
    offset: float = 15
    velocity: float = 5
    right: float = 1
    """Factor of the onsets' errors from middle C up, where the right hand plays. The factor below middle C is 1."""


DEFAULT_WEIGHTS = LossWeights()
"""Weights of the loss if none are given. The shipped bundle states the weights with which its models were fitted."""


def loss(target: Tensor, logits: Tensor, weights: LossWeights = DEFAULT_WEIGHTS) -> Tensor:
    """Return the weighted sum of cross-entropies (onset, frame, offset) and of the squared error of velocity.

    `target` is [batch, frames, 88, 4] in the order of HEADS. Its velocity is 0 to 1, and above 0 only where a note
    begins. The level of a recording does not show how hard the keys were struck. So an error in velocity that is equal
    for all notes of a sequence counts little: most of the error is measured around its mean in the sequence.
    """
    binary = keras.losses.binary_crossentropy
    counts = np.where(np.arange(KEYS) < MIDDLE_C - LOWEST_KEY, 1.0, weights.right).astype(np.float32)
    onset = ops.mean(binary(target[..., 0:1], logits[..., 0:1], from_logits=True) * (counts / counts.mean()))
    frame = ops.mean(binary(target[..., 1:2], logits[..., 1:2], from_logits=True))
    offset = ops.mean(binary(target[..., 2:3], logits[..., 2:3], from_logits=True))
    begins = ops.cast(target[..., 3] > 0, logits.dtype)
    miss = begins * (ops.sigmoid(logits[..., 3]) - target[..., 3])
    number = ops.sum(begins, axis=(1, 2), keepdims=True)
    around = begins * (miss - ops.sum(miss, axis=(1, 2), keepdims=True) / (number + 1.0))
    velocity = ops.sum(9 * ops.square(around) + ops.square(miss)) / (ops.sum(begins) + 1.0)
    return weights.onset * onset + weights.frame * frame + weights.offset * offset + weights.velocity * velocity
