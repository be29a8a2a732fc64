"""Makes the golden vectors of a bundle: inputs with the outputs that are right for them.

A device computes the outputs again to test itself. The vectors are the feature frames of a fixed sound, and for each
model the outputs of its first steps in each runtime of TFLite.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.bundles.bundle import GOLDEN_FRAMES, GOLDEN_SAMPLES
from device.bundles.golden import relative_error, run
from device.bundles.tflite import RuntimeName, StepModel, TensorSpec
from device.hearing.features import Features, FeatureSpec, golden_input
from export.conversion.rolls import Pair

STEPS = 96
"""Number of steps in the golden vectors of a model. For the transcriber they are 1.5 s of sound."""

LEAST_TOLERANCE = 0.05
"""Smallest tolerance that a bundle states for its golden outputs, as a relative error."""
KERNELS_APART = 3.0
"""The tolerance is this many times the difference between the two runtimes on this machine.

It is greater than 1 because the kernels for another processor may differ more.
"""


def stored(values: NDArray[np.float32], spec: TensorSpec) -> NDArray[Any]:
    """Return the real values [steps, ...] in the type of the tensor `spec`.

    For an int8 tensor they are divided by its scale, rounded and clipped. For a float tensor only the type changes.
    """
    if not spec.quantised:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    whole = np.clip(np.rint(values / spec.scale) + spec.zero_point, limits.min, limits.max)
    return np.asarray(whole, spec.dtype)


def feature_vectors(spec: FeatureSpec) -> dict[str, NDArray[Any]]:
    """Return the fixed sound and its feature frames as a dict.

    The keys are the names that these arrays have in golden.npz.
    """
    samples = golden_input(spec)
    return {GOLDEN_SAMPLES: samples, GOLDEN_FRAMES: Features(spec).frames(samples)}


def model_vectors(
    name: str, content: bytes, roll: list[Pair], runtimes: tuple[RuntimeName, ...]
) -> dict[str, NDArray[Any]]:
    """Return the inputs of the first steps of `roll`, and the outputs of the .tflite model `content` in each runtime.

    The keys are the names in golden.npz. They begin with the model's `name`.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for runtime in runtimes:
        model = StepModel(content, runtime=runtime)
        inputs = {
            tensor: stored(np.stack([pair.given[tensor][0] for pair in roll[:STEPS]]), spec)
            for tensor, spec in model.inputs.items()
        }
        arrays |= {f"{name}/in/{tensor}": values for tensor, values in inputs.items()}
        arrays |= {f"{name}/out/{runtime}/{tensor}": values for tensor, values in run(model, inputs).items()}
    return arrays


def tolerances(name: str, arrays: Mapping[str, NDArray[Any]], runtimes: tuple[RuntimeName, ...]) -> dict[str, float]:
    """Return for each runtime the largest relative error that the golden outputs may have on another machine.

    It is computed from the difference between the runtimes on this machine.
    """
    apart = [
        relative_error(arrays[f"{name}/out/{one}/{tensor}"], arrays[f"{name}/out/{other}/{tensor}"])
        for one, other in combinations(runtimes, 2)
        for tensor in [key.rsplit("/", 1)[1] for key in arrays if key.startswith(f"{name}/out/{one}/")]
    ]
    allowed = max([LEAST_TOLERANCE, *(KERNELS_APART * error for error in apart)])
    return {runtime: round(allowed, 4) for runtime in runtimes}
