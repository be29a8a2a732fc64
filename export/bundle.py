"""Writes a bundle from the transcriber and the accompanist.

Each net is converted to int8 and compared with its float form. Golden vectors (inputs with their right outputs, for a
self-test on the device) and the manifest are added.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.bundles.bundle import Bundle
from device.bundles.manifest import GOLDEN, SCHEMA, DataSource, Manifest, ModelSpec
from device.bundles.tflite import StepModel
from device.hearing.features import FeatureSpec
from device.version import VERSION
from export.conversion.convert import convert
from export.conversion.float_model import FloatModel
from export.conversion.verify import RUNTIMES, Tolerance, check, compare
from export.golden import feature_vectors, model_vectors, tolerances
from export.parts import ModelPart
from export.write import packed, write_bundle

DEFAULT_TOLERANCE = Tolerance()


@dataclass(frozen=True)
class Naming:
    """Holds those entries of the manifest that the caller of the export chooses, such as name and version."""

    name: str
    version: str
    commit: str
    commands: tuple[str, ...]
    data: tuple[DataSource, ...]


@dataclass(frozen=True)
class Made:
    """One model, ready for a bundle.

    It holds the .tflite file, the golden arrays, the sections of the manifest, and the lines of the comparison with the
    float model.
    """

    name: str
    content: bytes
    golden: dict[str, NDArray[Any]]
    section: dict[str, Any]
    training: dict[str, Any]
    int8: list[str]


def kept(folder: Path, name: str) -> Made:
    """Return the model `name` of the bundle in `folder` without any change, to put it into another bundle.

    Raises BundleError if there is no valid bundle in `folder`.
    """
    bundle = Bundle.open(folder)
    manifest = bundle.manifest
    return Made(
        name,
        bundle.contents[manifest.models[name].file],
        {key: array for key, array in bundle.golden.items() if key.startswith(f"{name}/")},
        getattr(manifest, name),
        manifest.training[name],
        [line.removeprefix(f"{name}: ") for line in manifest.training["int8"] if line.startswith(f"{name}: ")],
    )


def export_bundle(
    out: Path,
    naming: Naming,
    transcriber: ModelPart,
    accompanist: ModelPart | Made,
    spec: FeatureSpec,
    label_delay_frames: int,
    tolerance: Tolerance = DEFAULT_TOLERANCE,
    say: Callable[[str], None] = print,
) -> None:
    """Convert both models to int8 and write the bundle into the folder `out`.

    Raises UserError if the outputs of an int8 model differ from those of its float model by more than `tolerance`.
    """
    contents: dict[str, bytes] = {}
    models: dict[str, ModelSpec] = {}
    arrays: dict[str, NDArray[Any]] = feature_vectors(spec)
    training: dict[str, Any] = {"commands": list(naming.commands), "int8": []}
    for part in (transcriber, accompanist):
        made = part if isinstance(part, Made) else _convert(part, tolerance, say)
        file = f"{made.name}.tflite"
        contents[file] = made.content
        arrays |= made.golden
        tensors = tuple(StepModel(made.content, runtime=RUNTIMES[0]).tensors.values())
        models[made.name] = ModelSpec(file, tensors, tolerances(made.name, made.golden, RUNTIMES))
        training[made.name] = made.training
        training["int8"] += [f"{made.name}: {line}" for line in made.int8]
    manifest = Manifest(
        schema=SCHEMA,
        name=naming.name,
        version=naming.version,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        commit=naming.commit,
        min_device_version=VERSION,
        sample_rate=spec.sample_rate,
        hop=spec.hop,
        label_delay_frames=label_delay_frames,
        features=spec.to_dict(),
        models=models,
        gate=transcriber.section,
        accompanist=accompanist.section,
        training=training,
        metrics={},
        data=naming.data,
        files={},
    )
    for line in write_bundle(out, manifest, {**contents, GOLDEN: packed(arrays)}, RUNTIMES):
        say(line)


def _convert(part: ModelPart, tolerance: Tolerance, say: Callable[[str], None]) -> Made:
    model = FloatModel(part.model)
    say(f"{part.name}: rolling {len(part.calibration)} calibration pieces, {part.model.count_params()} parameters")
    converted = convert(model, [model.roll(steps) for steps in part.calibration])
    say(f"{part.name}: {len(converted.content) / 1024:.0f} kB from {converted.steps} calibration steps")
    for name in converted.requantised:
        say(f"{part.name}: a QUANTIZE operator converts {name} to its state's scale")
    for name in converted.memories:
        say(f"{part.name}: {name} is kept in floats")
    say(f"{part.name}: fitted ranges change the error over them from {converted.error:.2%} to {converted.fitted:.2%}")
    rolls = [model.roll(steps) for steps in part.check]
    agreements = compare(model, converted.content, rolls, part.thresholds)
    lines = [str(agreement) for agreement in agreements]
    for line in lines:
        say(f"{part.name}: {line}")
    check(agreements, tolerance)
    golden = max(rolls, key=lambda roll: float(np.ptp(np.stack([pair.given["x"] for pair in roll[:96]]), axis=0).sum()))
    vectors = model_vectors(part.name, converted.content, golden, RUNTIMES)
    return Made(part.name, converted.content, vectors, part.section, part.training, lines)
