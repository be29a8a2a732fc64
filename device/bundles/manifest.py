"""The typed form of `manifest.json`, schema version 1, which describes a bundle."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from device.bundles.ranges import MOST_FILES, check_number, check_text, check_tolerance
from device.bundles.tflite import TensorSpec
from device.errors import BundleError
from device.version import VERSION, version_key

SCHEMA = 1
MANIFEST = "manifest.json"
GOLDEN = "golden.npz"
CARD = "MODEL_CARD.md"
MODELS = ("transcriber", "accompanist")
LARGEST_MANIFEST = 2**20
"""Largest allowed size of manifest.json in bytes. That of the shipped bundle has about 48,000."""


@dataclass(frozen=True)
class ModelSpec:
    """Describes one model: its file, its tensors, and how exact its golden outputs must be in each runtime."""

    file: str
    tensors: tuple[TensorSpec, ...]
    tolerance: dict[str, float]
    """Greatest relative error that the outputs may have on a device. The keys are the names of the runtimes.

    The error is the L2 norm of the difference from the golden outputs, divided by the L2 norm of the golden outputs.
    """


@dataclass(frozen=True)
class DataSource:
    """Describes a data set from which a model was trained: its name, origin, licence and use."""

    name: str
    source: str
    licence: str
    role: str


@dataclass(frozen=True)
class Manifest:
    """Describes a bundle: its versions, models, records and files.

    A frame is one hop of `hop` samples at `sample_rate` Hz.
    """

    schema: int
    name: str
    version: str
    created: str
    """ISO 8601, UTC."""
    commit: str
    min_device_version: str
    sample_rate: int
    hop: int
    label_delay_frames: int
    """Look-ahead of the transcriber, in frames. It outputs its result for frame k at frame k + this."""
    features: dict[str, Any]
    """All fields of `device.hearing.features.FeatureSpec`."""
    models: dict[str, ModelSpec]
    gate: dict[str, Any]
    """Thresholds of the gate, and a record of their calibration."""
    accompanist: dict[str, Any]
    """The grid of its training: `gap_steps` and the other values that `device.left_hand.accompanist` reads."""
    training: dict[str, Any]
    """Record of the training: configurations, seeds, commands, and the comparison of int8 with float."""
    metrics: dict[str, Any]
    """Figures measured from the bundle's own .tflite files."""
    data: tuple[DataSource, ...]
    files: dict[str, str]
    """The sha256 of each file of the bundle except the manifest, its sum and its signature. The keys are file names."""

    def to_json(self) -> str:
        """Return the text of `manifest.json`."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_manifest(text: bytes, named: str = MANIFEST) -> Manifest:
    """Return the manifest in `text`. Errors name the file `named`.

    Raises BundleError if `text` is too large or is not a manifest of this schema, lacks a model, holds a value out of
    range, or needs a newer version of lefthand.
    """
    if len(text) > LARGEST_MANIFEST:
        raise BundleError(f"{named} has {len(text)} bytes, but at most {LARGEST_MANIFEST} are allowed.")
    try:
        data = json.loads(text.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{named} is not readable as JSON: {error}.") from error
    if not isinstance(data, dict):
        raise BundleError(f"{named} must be a JSON object, not {_kind(data)}.")
    _check_versions(data, named)
    try:
        manifest: Manifest = _decode(Manifest, data, "")
    except MisfitError as misfit:
        raise BundleError(f"{named}: {misfit}.") from misfit
    try:
        _check_ranges(manifest)
    except ValueError as error:
        raise BundleError(f"{named}: {error}.") from error
    missing = [name for name in MODELS if name not in manifest.models]
    if missing:
        raise BundleError(f"{named}: models has no {missing[0]}, only {sorted(manifest.models)}.")
    return manifest


def _check_versions(data: dict[str, Any], named: str) -> None:
    # checked first, so that a newer schema is reported as such and not as a list of unknown keys
    schema = data.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        raise BundleError(f"{named} has schema {schema!r}, this device reads schema {SCHEMA}: install a matching one.")
    wanted = data.get("min_device_version")
    try:
        newer = version_key(str(wanted)) > version_key(VERSION)
    except ValueError as error:
        raise BundleError(f"{named}: min_device_version: {error}") from error
    if newer:
        raise BundleError(f"{named} needs device version {wanted}, this is {VERSION}: update lefthand.")


def _check_ranges(manifest: Manifest) -> None:
    for name in ("name", "version", "created", "commit", "min_device_version"):
        check_text(name, getattr(manifest, name))
    check_number("label_delay_frames", manifest.label_delay_frames, 0, 100, whole=True)
    if len(manifest.files) > MOST_FILES or len(manifest.models) > MOST_FILES:
        raise ValueError(f"files and models must have at most {MOST_FILES} entries each")
    # the names of the files are checked where they are opened
    for name in manifest.models:
        check_text("a name in models", name)
    for model in manifest.models.values():
        for runtime, allowed in model.tolerance.items():
            check_tolerance(f"tolerance.{runtime[:40]}", allowed)


class MisfitError(Exception):
    """Raised when a manifest lacks a key, has an unknown key, or has a value of the wrong type.

    The message names the key.
    """


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _decode(wanted: Any, value: Any, where: str) -> Any:
    """Return `value` from JSON as the annotated type `wanted`. Raises MisfitError, which names the key `where`."""
    if wanted is Any:
        return value
    origin = get_origin(wanted)
    if is_dataclass(wanted):
        return _decode_dataclass(wanted, value, where)
    if origin is dict:
        item = get_args(wanted)[1]
        if not isinstance(value, dict):
            raise MisfitError(f"{where} must be an object, not {_kind(value)}")
        return {key: _decode(item, entry, f"{where}.{key}") for key, entry in value.items()}
    if origin is tuple:
        item = get_args(wanted)[0]
        if not isinstance(value, list):
            raise MisfitError(f"{where} must be a list, not {_kind(value)}")
        return tuple(_decode(item, entry, f"{where}[{i}]") for i, entry in enumerate(value))
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise MisfitError(f"{where} must be {_KINDS[wanted]}, not {_kind(value)}")
    return value


def _decode_dataclass(wanted: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise MisfitError(f"{where} must be an object, not {_kind(value)}")
    prefix = f"{where}." if where else ""
    hints = _hints(wanted)
    names = {field.name for field in fields(wanted)}
    needed = {field.name for field in fields(wanted) if field.default is MISSING}
    for name in sorted(needed - value.keys()):
        raise MisfitError(f"{prefix}{name} is missing")
    for name in sorted(value.keys() - names):
        raise MisfitError(f"{prefix}{name} is not a key of schema {SCHEMA}")
    return wanted(**{name: _decode(hints[name], entry, f"{prefix}{name}") for name, entry in value.items()})


_hints = cache(get_type_hints)
"""Python evaluates the annotations of a class at each call, and a manifest describes dozens of tensors."""

_KINDS: Mapping[Any, str] = types.MappingProxyType({str: "text", int: "a whole number", float: "a number"})


def _kind(value: Any) -> str:
    return "nothing" if value is None else repr(value) if not isinstance(value, (dict, list)) else type(value).__name__
