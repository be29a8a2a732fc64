"""Runs the float step model over real inputs. Its roll-outs calibrate the converter and check the result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from device.bundles.tflite import NEXT, STATE
from device.errors import UserError
from export.conversion.rolls import Array, Pair, Roll


class FloatModel:
    """A Keras step model with a fixed batch of 1. Its signature follows `device.bundles.tflite.StepModel`."""

    def __init__(self, model: keras.Model) -> None:
        """Wrap `model`.

        Raises UserError if the names or shapes of its inputs and outputs are not those of a step model.
        """
        if keras.config.backend() != "tensorflow":
            raise UserError("Export runs on Keras' TensorFlow backend: set KERAS_BACKEND=tensorflow.")
        self.model = model
        self.shapes = {tensor.name: tuple(tensor.shape) for tensor in model.inputs}
        loose = {name: shape for name, shape in self.shapes.items() if None in shape or shape[:1] != (1,)}
        if loose:
            raise UserError(f"A step model's inputs have a fixed shape and a batch of 1, not {loose}.")
        self.states = [name for name in self.shapes if name.startswith(STATE)]
        self.inputs = [name for name in self.shapes if not name.startswith(STATE)]
        wanted = sorted(NEXT + name.removeprefix(STATE) for name in self.states)
        given = sorted(name for name in model.output if name.startswith(NEXT)) if isinstance(model.output, dict) else []
        if wanted != given:
            raise UserError(f"The step model's states need the outputs {wanted}, but it has {given}.")
        self.outputs = sorted(name for name in model.output if not name.startswith(NEXT))
        self._call = tf.function(lambda given: model(given, training=False), autograph=False)

    def roll(self, steps: Roll) -> list[Pair]:
        """Run the model over consecutive steps, with all states zero at first.

        Returns the inputs and outputs of every step. Raises UserError if the names of the inputs are wrong.
        """
        states = {name: np.zeros(self.shapes[name], np.float32) for name in self.states}
        pairs = []
        for inputs in steps:
            if sorted(inputs) != sorted(self.inputs):
                raise UserError(f"The step model takes {sorted(self.inputs)}, the roll-out gives {sorted(inputs)}.")
            shaped = {name: np.asarray(value, np.float32).reshape(self.shapes[name]) for name, value in inputs.items()}
            given = {**shaped, **states}
            gave = {name: np.asarray(value) for name, value in self._call(_tensors(given)).items()}
            pairs.append(Pair(given, gave))
            states = {name: gave[NEXT + name.removeprefix(STATE)] for name in self.states}
        return pairs


def _tensors(values: Mapping[str, Array]) -> dict[str, Any]:
    return {name: tf.constant(value) for name, value in values.items()}
