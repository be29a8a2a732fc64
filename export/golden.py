"""Golden vectors for a bundle: frames of a fixed sound, and the outputs of a model's first steps in each runtime."""

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
"""Number of golden steps: 1.5 s of the transcriber's hops."""

LEAST_TOLERANCE = 0.05
"""Least tolerance, a relative error."""
KERNELS_APART = 3.0
"""Factor on the difference between the two runtimes here. Kernels of another processor may round more differently."""


def stored(values: NDArray[np.float32], spec: TensorSpec) -> NDArray[Any]:
    """Convert real values [steps, ...] to the tensor's type, rounded and clipped."""
    if not spec.quantised:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    whole = np.clip(np.rint(values / spec.scale) + spec.zero_point, limits.min, limits.max)
    return np.asarray(whole, spec.dtype)


def feature_vectors(spec: FeatureSpec) -> dict[str, NDArray[Any]]:
    """Return the fixed sound and its frames."""
    samples = golden_input(spec)
    return {GOLDEN_SAMPLES: samples, GOLDEN_FRAMES: Features(spec).frames(samples)}


def model_vectors(
    name: str, content: bytes, roll: list[Pair], runtimes: tuple[RuntimeName, ...]
) -> dict[str, NDArray[Any]]:
    """Return the inputs of model `name` for the first steps of a run, and the model's outputs in each runtime."""
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
    """Return, by runtime, the relative error that golden outputs may have on another machine.

    It follows from the difference between the runtimes here.
    """
    apart = [
        relative_error(arrays[f"{name}/out/{one}/{tensor}"], arrays[f"{name}/out/{other}/{tensor}"])
        for one, other in combinations(runtimes, 2)
        for tensor in [key.rsplit("/", 1)[1] for key in arrays if key.startswith(f"{name}/out/{one}/")]
    ]
    allowed = max([LEAST_TOLERANCE, *(KERNELS_APART * error for error in apart)])
    return {runtime: round(allowed, 4) for runtime in runtimes}
