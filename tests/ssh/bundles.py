"""Bundles to flash: the shipped one under other names, and bad bundles made from it and from bad models."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from time import thread_time
from typing import Any

import numpy as np

from device.bundles.bundle import MANIFEST_SUM, Bundle, default_bundle, manifest_sum
from device.bundles.manifest import GOLDEN, MANIFEST
from device.bundles.tflite import StepModel, available_runtimes
from export.write import packed

BAD_MODELS = Path(__file__).parents[1] / "fixtures" / "bad"
FAULTS = ("nan", "slow", "hang", "crash")
TRIGGER = 123457.0
"""Each bad model holds this value for the number of steps after which it fails. A variant replaces it."""
AT_ONCE, LATER = 2.0, 260.0
"""Two numbers of steps: the first is reached in the self-test, the second only after it."""
SOUND = 20.0
"""Sum of a frame's levels above which `nan_on_sound` returns NaN.

The sum is 0 in silence and in the frames of the self-test. It is about 100 in the frame of a chord."""
GOLDEN_STEPS = 8
SLOW_STEPS_TIMED = 5
SLOW_OVER_ALLOWED = 4.0
"""The slow model takes this many times the step time that its test's rules allow."""


def variant(folder: Path, version: str, created: str = "2027-01-01T00:00:00Z") -> Path:
    """Return the shipped bundle as if it was made at another time."""
    shutil.copytree(default_bundle(), folder)
    rewrite(folder, lambda manifest: manifest.update(version=version, created=created))
    return folder


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and correct its checksums, as a bundle's maker could."""
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    text = json.dumps(manifest, indent=2).encode()
    (folder / MANIFEST).write_bytes(text)
    (folder / MANIFEST_SUM).write_bytes(manifest_sum(text))


def put(folder: Path, name: str, content: bytes) -> None:
    """Change a file and its checksum, as a bundle's maker could."""
    (folder / name).write_bytes(content)
    rewrite(folder, lambda manifest: manifest["files"].update({name: hashlib.sha256(content).hexdigest()}))


def golden(folder: Path) -> dict[str, Any]:
    """Return the golden arrays."""
    with np.load(folder / GOLDEN) as arrays:
        return {name: arrays[name] for name in arrays.files}


def wrong_features(folder: Path) -> None:
    """Use frames that our feature code never returns."""
    arrays = golden(folder)
    arrays["features/frames"] = arrays["features/frames"] + np.float32(0.01)
    put(folder, GOLDEN, packed(arrays))


def wrong_shapes(folder: Path) -> None:
    """Write a manifest whose tensors differ from the model's."""

    def widen(manifest: dict[str, Any]) -> None:
        manifest["models"]["transcriber"]["tensors"][0]["shape"] = [1, 1, 89, 2]

    rewrite(folder, widen)


def newer_schema(folder: Path) -> None:
    """Mark the bundle as made for a later schema."""
    rewrite(folder, lambda manifest: manifest.update(schema=2))


def newer_device(folder: Path) -> None:
    """Mark the bundle as made for a device with more features than this one."""
    rewrite(folder, lambda manifest: manifest.update(min_device_version="99.0"))


def other_outputs(folder: Path) -> None:
    """Use golden outputs that these models do not return."""
    arrays = golden(folder)
    for runtime in available_runtimes():
        arrays[f"transcriber/out/{runtime}/y"] = 1 - arrays[f"transcriber/out/{runtime}/y"]
    put(folder, GOLDEN, packed(arrays))


def bad_model(fault: str, trigger: float) -> bytes:
    """Return the .tflite file of a transcriber that fails after `trigger` steps, or above `trigger` as a level sum."""
    content = (BAD_MODELS / f"{fault}.tflite").read_bytes()
    assert content.count(struct.pack("<f", TRIGGER)) == 1
    return content.replace(struct.pack("<f", TRIGGER), struct.pack("<f", trigger))


@functools.cache
def slow_step_s() -> float:
    """Return the processor time in seconds of one step of the slow model on this machine, the shortest of several."""
    model = StepModel(bad_model("slow", 0.0))
    zeros = {name: np.zeros(tensor.shape, np.float32) for name, tensor in model.inputs.items()}
    model.step(**zeros)  # the state counts from 0, so that the first step is still a quick one
    times = []
    for _ in range(SLOW_STEPS_TIMED):
        begun_s = thread_time()
        model.step(**zeros)
        times.append(thread_time() - begun_s)
    return min(times)


def rules_against_slow(rules: str) -> str:
    """Return a box's rules with `slowest` set so that only the slow model is too slow on this machine.

    The slow model takes a fixed number of turns, so both its step and a good model's scale with the machine.
    """
    allowed = slow_step_s() / SLOW_OVER_ALLOWED / Bundle.open(default_bundle()).features.hop_s
    changed, count = re.subn(r"^slowest = .*$", f"slowest = {allowed:.6f}", rules, flags=re.MULTILINE)
    assert count == 1, rules
    return changed


def faulty(folder: Path, fault: str, trigger: float) -> None:
    """Return a transcriber that fails after `trigger` steps, or (`nan_on_sound`) above `trigger` as a sum of levels."""
    content = bad_model(fault, trigger)
    model = StepModel(content)
    arrays = {name: values for name, values in golden(folder).items() if not name.startswith("transcriber/")}
    for name, tensor in model.inputs.items():
        arrays[f"transcriber/in/{name}"] = np.zeros((GOLDEN_STEPS, *tensor.shape), np.float32)
    for runtime in available_runtimes():
        arrays[f"transcriber/out/{runtime}/y"] = np.zeros((GOLDEN_STEPS, *model.outputs["y"].shape[1:]), np.float32)
    put(folder, "transcriber.tflite", content)
    put(folder, GOLDEN, packed(arrays))
    tensors = [
        {"name": t.name, "shape": t.shape, "dtype": t.dtype, "scale": t.scale, "zero_point": t.zero_point}
        for t in model.tensors.values()
    ]
    rewrite(folder, lambda manifest: manifest["models"]["transcriber"].update(tensors=tensors))
