"""Converts a Keras step model to an int8 .tflite file, calibrated on states and inputs of real roll-outs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from device.bundles.tflite import StepModel, available_runtimes
from device.errors import UserError
from export.conversion.float_model import FloatModel
from export.conversion.memory import in_floats
from export.conversion.ranges import narrowed
from export.conversion.requantise import requantise
from export.conversion.rolls import Array, Pair, settled

FEWEST_STEPS = 100
"""Least number of steps for a calibration. Fewer steps do not show the range of a model's states."""


@dataclass(frozen=True)
class Converted:
    """A .tflite file, and facts about its conversion."""

    content: bytes
    requantised: list[str]
    """Names of the state outputs whose scale had to be converted: `export.conversion.requantise`."""
    memories: list[str]
    """Names of the states that are kept in floats: `export.conversion.memory`."""
    steps: int
    """Number of calibration steps that were used."""
    error: float
    """Relative error of the outputs over the calibration steps, with the ranges that the converter chose."""
    fitted: float
    """The same error after `export.conversion.ranges` has fitted the ranges."""


def convert(model: FloatModel, rolls: list[list[Pair]]) -> Converted:
    """Convert `model` to an int8 .tflite file with int8 inputs, outputs and states.

    Only the memory of a GRU stays in floats (`export.conversion.memory`). `rolls` are roll-outs of the same float
    model, from which the ranges are calibrated. Raises UserError if they are too short for that.
    """
    used = settled(rolls)
    pairs = [pair for roll in used for pair in roll]
    if len(pairs) < FEWEST_STEPS:
        raise UserError(f"{len(pairs)} calibration steps are too few: give at least {FEWEST_STEPS}.")
    _check_finite(pairs)
    with tempfile.TemporaryDirectory() as folder:
        # Model.export freezes the variables. Converting a function that reads them would lose the weights silently.
        specs = {
            tensor.name: keras.InputSpec(shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
            for tensor in model.model.inputs
        }
        model.model.export(folder, input_signature=[specs], verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)

        def representative() -> Iterator[dict[str, Array]]:
            for pair in pairs:
                yield pair.given

        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        # Per-channel Dense would make FULLY_CONNECTED version 12, which tflite-runtime 2.14 rejects.
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        content: bytes = converter.convert()
    content, memories = in_floats(content)
    content, mended = requantise(content)
    for runtime in available_runtimes():
        # loading checks that each state has the same quantisation as output and as input
        StepModel(content, runtime=runtime)
    content, error, fitted = narrowed(content, used)
    return Converted(content, mended, memories, len(pairs), error, fitted)


def _check_finite(pairs: list[Pair]) -> None:
    for i, pair in enumerate(pairs):
        for name, value in {**pair.given, **pair.gave}.items():
            if not np.all(np.isfinite(value)):
                raise UserError(f"The float model is not finite: {name} at calibration step {i}.")
