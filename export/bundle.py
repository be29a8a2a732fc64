"""From two parts to a written bundle: convert, compare, golden vectors, manifest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.features import FeatureSpec
from device.manifest import GOLDEN, SCHEMA, DataSource, Manifest, ModelSpec
from device.runtime import StepModel
from device.version import VERSION
from export.convert import convert
from export.golden import feature_vectors, model_vectors, tolerances
from export.parts import Part
from export.rollout import FloatModel
from export.verify import RUNTIMES, Tolerance, check, compare
from export.write import packed, write_bundle

DEFAULT_TOLERANCE = Tolerance()


@dataclass(frozen=True)
class Naming:
    """What only the one who exports knows."""

    name: str
    version: str
    commit: str
    commands: tuple[str, ...]
    data: tuple[DataSource, ...]


def export_bundle(
    out: Path,
    naming: Naming,
    transcriber: Part,
    accompanist: Part,
    spec: FeatureSpec,
    label_delay_frames: int,
    tolerance: Tolerance = DEFAULT_TOLERANCE,
    say: Callable[[str], None] = print,
) -> None:
    """Converts both parts and puts the bundle into `out`; raises UserError where a model does not survive int8."""
    contents: dict[str, bytes] = {}
    models: dict[str, ModelSpec] = {}
    arrays: dict[str, NDArray[Any]] = feature_vectors(spec)
    training: dict[str, Any] = {"commands": list(naming.commands), "int8": []}
    for part in (transcriber, accompanist):
        content, found, lines = _convert(part, tolerance, say)
        file = f"{part.name}.tflite"
        contents[file] = content
        arrays |= found
        tensors = tuple(StepModel(content, runtime=RUNTIMES[0]).tensors.values())
        models[part.name] = ModelSpec(file, tensors, tolerances(part.name, found, RUNTIMES))
        training[part.name] = part.training
        training["int8"] += [f"{part.name}: {line}" for line in lines]
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


def _convert(
    part: Part, tolerance: Tolerance, say: Callable[[str], None]
) -> tuple[bytes, dict[str, NDArray[Any]], list[str]]:
    """One part's .tflite file, its golden arrays and how it compares with the float model."""
    model = FloatModel(part.model)
    say(f"{part.name}: rolling {len(part.calibration)} calibration pieces, {part.model.count_params()} parameters")
    converted = convert(model, [model.roll(steps) for steps in part.calibration])
    say(f"{part.name}: {len(converted.content) / 1024:.0f} kB from {converted.steps} calibration steps")
    for name in converted.requantised:
        say(f"{part.name}: {name} is brought back to its state's scale by a QUANTIZE operator")
    rolls = [model.roll(steps) for steps in part.check]
    agreements = compare(model, converted.content, rolls, part.thresholds)
    lines = [str(agreement) for agreement in agreements]
    for line in lines:
        say(f"{part.name}: {line}")
    check(agreements, tolerance)
    golden = max(rolls, key=lambda roll: float(np.ptp(np.stack([pair.given["x"] for pair in roll[:96]]), axis=0).sum()))
    return converted.content, model_vectors(part.name, converted.content, golden, RUNTIMES), lines
