"""Builds the nets of the seeds, which are early nets that accompany a melody. A net is a body and its heads.

A fit runs the net over whole sequences. To play, the net can run step by step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from device.events import KEYS
from training.experiments.seeds.data import SLOTS, VOICES, read_width
from training.experiments.seeds.setup import TAPS, Seed

Tensor = Any

ATTENTION_HEADS = 4
DILATIONS = (1, 2, 4, 8, 16)
WINDOW_STEPS = 1 + 2 * sum(DILATIONS)
RARE = -2.0
"""Initial bias of the heads, a logit. It is negative because few keys sound at a time."""


@dataclass(frozen=True)
class Layout:
    """Holds the place of each head in the last axis of a net's output (head name -> slice), and the `width` of all."""

    slices: dict[str, slice]
    width: int

    @classmethod
    def of(cls, setup: Seed) -> Layout:
        """Return the layout of a configuration. Heads are named NAME.I, with I the index into `setup.ahead`, from 0."""
        classes = KEYS if setup.kind == "keys" else 12
        named: list[tuple[str, int]] = []
        for i in range(len(setup.ahead)):
            if setup.kind in ("voices", "notes"):
                named.append((f"{setup.kind}.{i}", VOICES * 13))
            else:
                named.append((f"sounding.{i}", classes))
            named.append((f"struck.{i}", classes))
            if setup.kind == "octave":
                named.append((f"octave.{i}", KEYS))
        if setup.tells_right:
            named.append(("right", classes))
        slices, at = {}, 0
        for name, size in named:
            slices[name] = slice(at, at + size)
            at += size
        return cls(slices, at)


def causal(y: Tensor, lag: int) -> Tensor:
    """Return `y` [B, T, C] delayed by `lag` steps. The first `lag` steps are zero."""
    return ops.pad(y, ((0, 0), (lag, 0), (0, 0)))[:, : -lag or None]


class EarlierSteps(layers.Layer):
    """A dense layer that reads each step and the earlier steps at the lags `TAPS`."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.dense = layers.Dense(units, activation="relu")

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.dense.build((*shape[:-1], (len(TAPS) + 1) * (shape[-1] or 0)))
        self.built = True

    def call(self, y: Tensor) -> Tensor:
        return self.dense(ops.concatenate([y, *(causal(y, lag) for lag in TAPS)], axis=-1))


class HistoryUser(layers.Layer):
    """A layer in which each step attends to itself and to the earlier steps at the lags `TAPS`.

    Each lag has its own bias.
    """

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.query, self.key, self.value = (layers.Dense(units, name=name) for name in ("query", "key", "value"))
        self.out = layers.Dense(units, activation="relu")

    def build(self, shape: tuple[int | None, ...]) -> None:
        for dense in (self.query, self.key, self.value):
            dense.build(shape)
        self.out.build((*shape[:-1], self.units + (shape[-1] or 0)))
        self.lags = self.add_weight(shape=(len(TAPS) + 1, ATTENTION_HEADS), initializer="zeros", name="lags")
        self.built = True

    def call(self, y: Tensor) -> Tensor:
        each = self.units // ATTENTION_HEADS

        def by_head(z: Tensor) -> Tensor:
            return ops.reshape(z, (*ops.shape(z)[:-1], ATTENTION_HEADS, each))

        def over_lags(z: Tensor) -> Tensor:
            return by_head(ops.stack([z, *(causal(z, lag) for lag in TAPS)], axis=2))

        query, keys, values = by_head(self.query(y)), over_lags(self.key(y)), over_lags(self.value(y))
        fit = ops.sum(query[:, :, None] * keys, axis=-1) / each**0.5 + self.lags
        attended = ops.sum(ops.softmax(fit, axis=2)[..., None] * values, axis=2)
        joined = ops.reshape(attended, (*ops.shape(y)[:-1], self.units))
        return self.out(ops.concatenate([y, joined], axis=-1))


class SeedNet:
    """Holds the layers of one configuration, and builds models from them.

    The model for whole sequences and the model for single steps share the layers.
    """

    def __init__(self, setup: Seed) -> None:
        self.setup, self.layout = setup, Layout.of(setup)
        units = setup.units
        self.right_width = read_width(setup.kind) + (SLOTS if setup.position else 0)
        self.left_width = read_width(setup.kind) if setup.fed else 0
        self.embed = layers.Dense(units, activation="relu", name="embed")
        self.body: list[Any]
        if setup.body in ("gru", "lstm"):
            kind = layers.GRU if setup.body == "gru" else layers.LSTM
            names = ("body", *(f"body_{i}" for i in range(1, setup.layers)))
            self.body = [kind(units, return_sequences=True, name=name) for name in names]
            for layer in self.body[1:]:
                # `step` calls the cells in one model, in which no two may have the same name
                layer.cell.name = f"{layer.name}_cell"
        elif setup.body == "conv":
            self.body = [
                layers.Conv1D(units, 3, dilation_rate=d, padding="causal", activation="relu")
                for d in DILATIONS * setup.layers
            ]
        else:
            own = EarlierSteps if setup.body == "taps" else HistoryUser
            self.body = [own(units), *(layers.Dense(units, activation="relu") for _ in range(setup.layers))]
        self.mix = layers.Dense(units, activation="relu", name="mix")
        self.heads = layers.Dense(self._plain_width, bias_initializer=keras.initializers.Constant(RARE), name="heads")
        self.octave = layers.Dense(KEYS, name="octave")
        self.next_note = layers.Dense(13, name="next_note")
        self.chord = layers.Dense(units, activation="relu", name="chord")
        self._sequence: keras.Model | None = None

    @property
    def _plain_width(self) -> int:
        beside = {"octave": KEYS, "notes": VOICES * 13}.get(self.setup.kind, 0)
        return self.layout.width - beside

    @property
    def window(self) -> int:
        """Return the number of steps, including the present one, that a body without a recurrent state reads.

        Raises KeyError for a body with a recurrent state ("gru" or "lstm").
        """
        conv = 1 + self.setup.layers * (WINDOW_STEPS - 1)
        return {"conv": conv, "taps": 1 + max(TAPS), "history": 1 + max(TAPS)}[self.setup.body]

    def told(self, hidden: Tensor, chosen: Tensor | None) -> Tensor:
        """Apply the heads to the body's output `hidden` [B, T, units]. Return logits [B, T, width].

        The octave decoder multiplies each key's probability by that of its pitch class, then takes the logit. Only a
        net of chords reads `chosen`, the notes that come before each note.
        """
        hidden = self.mix(hidden)
        plain = self.heads(hidden)
        if self.setup.kind == "octave":
            wanted = ops.sigmoid(plain[..., :12])
            keys = self.octave(ops.concatenate([hidden, wanted], axis=-1))
            first = 9
            mask = ops.concatenate([wanted[..., first:], *[wanted] * 7, wanted[..., :1]], axis=-1)
            sure = ops.clip(ops.sigmoid(keys) * mask, 1e-6, 1 - 1e-6)
            return ops.concatenate([plain[..., :24], ops.log(sure) - ops.log1p(-sure), plain[..., 24:]], axis=-1)
        if self.setup.kind == "notes":
            spread = ops.repeat(hidden[:, :, None], VOICES, axis=2)
            notes = self.next_note(self.chord(ops.concatenate([spread, chosen], axis=-1)))
            return ops.concatenate([*(notes[:, :, v] for v in range(VOICES)), plain], axis=-1)
        return plain

    def over(self, x: Tensor) -> Tensor:
        """Apply the body to whole sequences `x` [B, T, F]. Return its output [B, T, units].

        Each convolution has a skip connection: its output is added to its input (He et al. 2016). Without the skip
        connections the five layers hardly learn.
        """
        y = self.embed(x)
        for layer in self.body:
            y = y + layer(y) if self.setup.body == "conv" else layer(y)
        return y

    def sequence(self) -> keras.Model:
        """Return the model for whole sequences, with logits [B, T, width]. The first call builds it.

        Its inputs are those of `training.experiments.seeds.data.SongStretches`.
        """
        if self._sequence is not None:
            return self._sequence
        setup = self.setup
        inputs = {"right": keras.Input((None, self.right_width), name="right")}
        chosen = None
        if setup.kind == "notes":
            chosen = inputs["chosen"] = keras.Input((None, VOICES, 12), name="chosen")
        if not setup.fed:
            out = self.told(self.over(inputs["right"]), chosen)
        else:
            inputs["left"] = keras.Input((None, self.left_width), name="left")
            inputs["share"] = keras.Input((1, 1), name="share")
            out = self.told(self.over(ops.concatenate([inputs["right"], inputs["left"]], axis=-1)), None)
            if setup.hands == "both-scheduled":
                own = causal(self.own_left(out), 1)
                left = inputs["left"] + inputs["share"] * (ops.stop_gradient(own) - inputs["left"])
                out = self.told(self.over(ops.concatenate([inputs["right"], left], axis=-1)), None)
        self._sequence = keras.Model(inputs, out, name="seed")
        return self._sequence

    def own_left(self, logits: Tensor) -> Tensor:
        """Return the left hand that the net predicts, in the format of its input, [B, T, inputs of a hand].

        It has probabilities in place of decisions.
        """
        return ops.sigmoid(logits[..., : self.left_width])

    def step(self, batch: int) -> keras.Model:
        """Build and return a model of one step, for a net that reads what it has played.

        Its inputs are x [B, F] and the states, its outputs logits [B, width] and the next states. `batch` is B.
        """
        x = keras.Input((self.right_width + self.left_width,), batch_size=batch, name="x")
        inputs: dict[str, Tensor] = {"x": x}
        outputs: dict[str, Tensor] = {}
        if self.setup.body in ("gru", "lstm"):
            each = 2 if self.setup.body == "lstm" else 1
            hidden = self.embed(x)
            for number, layer in enumerate(self.body):
                names = [f"state_{each * number + i}" for i in range(each)]
                states = [keras.Input((self.setup.units,), batch_size=batch, name=name) for name in names]
                inputs |= dict(zip(names, states, strict=True))
                hidden, after = layer.cell(hidden, states)
                outputs |= dict(zip(names, after, strict=True))
        else:
            past = inputs["state_0"] = keras.Input((self.window, x.shape[-1]), batch_size=batch, name="state_0")
            outputs["state_0"] = ops.concatenate([past[:, 1:], x[:, None]], axis=1)
            hidden = self.over(outputs["state_0"])[:, -1]
        outputs["logits"] = self.told(hidden[:, None], None)[:, 0]
        return keras.Model(inputs, outputs, name="seed_step")
