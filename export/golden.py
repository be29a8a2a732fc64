"""Golden vectors for a bundle: frames of a fixed sound, and what each runtime made of a model's first steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.bundle import GOLDEN_FRAMES, GOLDEN_SAMPLES
from device.features import Features, FeatureSpec, golden_input
from device.golden import run
from device.runtime import RuntimeName, StepModel, TensorSpec
from export.rollout import Pair

STEPS = 96
"""1.5 s of the transcriber's hops."""

TOLERANCE: Mapping[RuntimeName, float] = {"litert": 0.05, "tflite": 0.02}
"""Relative error that another machine may show. tflite-runtime 2.14's int8 kernels give the same bits on x86 and ARM;
LiteRT picks kernels by processor, which round differently."""


def stored(values: NDArray[np.float32], spec: TensorSpec) -> NDArray[Any]:
    """Real [steps, ...] values as the tensor holds them, rounded and clipped."""
    if not spec.quantised:
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    whole = np.clip(np.rint(values / spec.scale) + spec.zero_point, limits.min, limits.max)
    return np.asarray(whole, spec.dtype)


def feature_vectors(spec: FeatureSpec) -> dict[str, NDArray[Any]]:
    """The fixed sound and its frames."""
    samples = golden_input(spec)
    return {GOLDEN_SAMPLES: samples, GOLDEN_FRAMES: Features(spec).frames(samples)}


def model_vectors(
    name: str, content: bytes, roll: list[Pair], runtimes: tuple[RuntimeName, ...]
) -> dict[str, NDArray[Any]]:
    """The first steps of a roll-out as model `name` takes them, and its outputs in each runtime."""
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
