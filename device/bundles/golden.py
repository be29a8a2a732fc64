"""Checks that the models of a bundle give the recorded outputs on this device, and that they are fast enough.

Golden vectors are inputs and outputs of the models, recorded when the bundle was exported. Every device must reproduce
the outputs. The inputs of a model are kept as its tensors store them, and its outputs as real numbers. Each is one
array [steps, ...] named `MODEL/in/NAME` or `MODEL/out/RUNTIME/NAME`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.bundles.bundle import GOLDEN_FRAMES, GOLDEN_SAMPLES, Bundle
from device.bundles.tflite import Float, RuntimeName, StepModel, TensorSpec
from device.errors import BundleError
from device.hearing.features import Features
from device.system.realtime import paced

SLOWEST = 0.5
"""Largest share of a hop's length that features and transcriber together may take in 99 of 100 hops."""
TIMED_HOPS, TIMED_RUNS = 250, 3
"""Number of hops in a timed run (4 s at the piano), and largest number of runs. One run within the limit is enough."""


def real(stored: NDArray[Any], spec: TensorSpec) -> Float:
    """Return a tensor's stored values as real numbers, which quantise to exactly the same stored values."""
    if not spec.quantised:
        return stored.astype(np.float32)
    return (stored.astype(np.float32) - np.float32(spec.zero_point)) * np.float32(spec.scale)


def run(model: StepModel, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Float]:
    """Run the model step by step from its start state. Return its outputs by name, each float32[steps, ...].

    `inputs` holds an array [steps, ...] of stored values for the name of each input.
    """
    model.reset()
    steps = len(next(iter(inputs.values())))
    fed = {name: real(stored, model.inputs[name]) for name, stored in inputs.items()}
    outputs = [model.step(**{name: values[i] for name, values in fed.items()}) for i in range(steps)]
    return {name: np.stack([output[name] for output in outputs]) for name in model.outputs}


def relative_error(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """Return the L2 norm of the difference over the L2 norm of `wanted`; infinity if `found` has a value not finite."""
    if not np.all(np.isfinite(found)):
        return float("inf")
    difference = found.astype(np.float64) - wanted
    return float(np.linalg.norm(difference) / max(float(np.linalg.norm(wanted)), 1e-9))


def verify(bundle: Bundle, runtime: RuntimeName | None = None, slowest: float = SLOWEST) -> list[str]:
    """Run the self-test of an opened bundle in the installed runtime. Returns one line for each check passed.

    `slowest` is a share of the length of a hop. In 99 of 100 hops, the features and the transcriber must need at most
    this share of CPU time. Each hop begins when it is due, as at the piano. If `slowest` is 1 or more, a hop may end
    after the next one is due, so the hops follow one another without a wait. `Bundle.open` has already checked schema,
    sums and features. Raises BundleError for the first check that fails.
    """
    manifest = bundle.manifest
    made = f"{manifest.name} {manifest.version}, schema {manifest.schema}, {manifest.created}"
    lines = [
        f"manifest    {made}, for devices from {manifest.min_device_version}",
        f"checksums   {len(manifest.files) + 1} files, bundle {bundle.digest[:12]}",
        f"features    {len(bundle.golden[GOLDEN_FRAMES])} golden frames agree",
    ]
    models = {name: bundle.model(name, runtime) for name in manifest.models}
    for name, model in models.items():
        lines.append(f"{name:<11} {len(model.tensors)} tensors as the manifest says, {model.runtime}")
        lines += [f"{name:<11} {line}" for line in _check_outputs(bundle, name, model)]
    lines.append(_check_speed(bundle, models["transcriber"], slowest))
    return lines


def golden_inputs(bundle: Bundle, name: str, model: StepModel) -> dict[str, NDArray[Any]]:
    """Return the stored inputs of the model `name` from the bundle's golden vectors: an array [steps, ...] by name.

    Raises BundleError if an input is missing or if their numbers of steps differ.
    """
    inputs = {tensor: bundle.golden.get(f"{name}/in/{tensor}") for tensor in model.inputs}
    given = {tensor: stored for tensor, stored in inputs.items() if stored is not None}
    if len(given) < len(inputs) or len({len(stored) for stored in given.values()}) != 1:
        raise BundleError(f"{bundle.path}: golden inputs of {name} are {sorted(given)}, not {sorted(inputs)}.")
    return given


def _check_outputs(bundle: Bundle, name: str, model: StepModel) -> list[str]:
    """Return a line of text for each output of the model `name`. Raises BundleError if one is not as when exported."""
    found = run(model, golden_inputs(bundle, name, model))
    allowed = bundle.manifest.models[name].tolerance.get(model.runtime)
    if allowed is None:
        raise BundleError(f"{bundle.path}: {name} was not checked in {model.runtime}, only in others: export it again.")
    lines = []
    for tensor, values in found.items():
        wanted = bundle.golden.get(f"{name}/out/{model.runtime}/{tensor}")
        if wanted is None or wanted.shape != values.shape:
            shape = None if wanted is None else wanted.shape
            raise BundleError(f"{bundle.path}: golden {tensor} of {name} has shape {shape}, not {values.shape}.")
        error = relative_error(values, wanted)
        if not error <= allowed:
            raise BundleError(
                f"{bundle.path}: {name} in {model.runtime} here gives {tensor} {error:.2%} off the golden values, "
                f"{allowed:.2%} is allowed."
            )
        lines.append(f"{tensor}: {len(values)} golden steps, {error:.3%} off, {allowed:.0%} allowed")
    return lines


def _check_speed(bundle: Bundle, model: StepModel, slowest: float) -> str:
    hop_s = bundle.features.hop_s
    # the best run counts, because late hops are more often due to other processes than to the device
    for _ in range(TIMED_RUNS):
        times = hop_times(bundle, model, paced(TIMED_HOPS, hop_s) if slowest < 1 else range(TIMED_HOPS))
        median, late = (float(np.quantile(times, q)) for q in (0.5, 0.99))
        if late <= slowest * hop_s:
            return f"speed       a hop takes {median * 1e3:.2f} ms (p99 {late * 1e3:.2f}) of {hop_s * 1e3:.0f} ms"
    raise BundleError(
        f"This device is too slow for {bundle.path}: 1 % of the hops take more than {late * 1e3:.1f} ms of "
        f"{hop_s * 1e3:.0f} ms, at most {slowest:.0%} may be taken: use a faster Pi, or another bundle."
    )


def hop_times(bundle: Bundle, model: StepModel, numbers: Iterable[int] = range(TIMED_HOPS)) -> list[float]:
    """Return the CPU time, in seconds, of features and transcriber in each hop of `numbers`.

    A hop begins when `numbers` yields its number. Only CPU time of this thread counts, so other processes do not change
    it. At the piano the loop has real-time priority, so they do not delay it there either. Raises BundleError if the
    transcriber returns a value that is not finite, or if golden inputs are missing.
    """
    features = Features(bundle.features)
    inputs = golden_inputs(bundle, "transcriber", model)
    fed = {name: real(stored, model.inputs[name]) for name, stored in inputs.items()}
    steps = len(next(iter(fed.values())))
    samples, hop = bundle.golden[GOLDEN_SAMPLES], bundle.features.hop
    hops = samples[: len(samples) // hop * hop].reshape(-1, hop)
    model.reset()
    times = []
    for i in numbers:
        begun = thread_time()
        features.step(hops[i % len(hops)])
        outputs = model.step(**{name: values[i % steps] for name, values in fed.items()})
        times.append(thread_time() - begun)
        if not all(np.all(np.isfinite(values)) for values in outputs.values()):
            raise BundleError(
                f"{bundle.path}: the transcriber gives NaN or infinity at hop {i + 1}: fit and export it again."
            )
    return times
