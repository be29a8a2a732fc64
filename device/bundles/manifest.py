"""What a bundle says of itself: the typed form of `manifest.json`, schema version 1."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from device.bundles.tflite import TensorSpec
from device.errors import BundleError
from device.version import VERSION, version_key

SCHEMA = 1
MANIFEST = "manifest.json"
GOLDEN = "golden.npz"
CARD = "MODEL_CARD.md"
MODELS = ("transcriber", "accompanist")


@dataclass(frozen=True)
class ModelSpec:
    """One model: its file, every tensor of its signature, how far golden outputs may stray, by runtime."""

    file: str
    tensors: tuple[TensorSpec, ...]
    tolerance: dict[str, float]
    """Runtime name → greatest relative error (L2 norm) of the golden outputs on another machine."""


@dataclass(frozen=True)
class DataSource:
    """What a model learnt from."""

    name: str
    source: str
    licence: str
    role: str


@dataclass(frozen=True)
class Manifest:
    """A bundle's manifest; times in frames are hops of `hop` samples at `sample_rate` Hz."""

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
    """The transcriber's look-ahead: what it says of frame k it says at frame k + this."""
    features: dict[str, Any]
    """`device.hearing.features.FeatureSpec`, whole."""
    models: dict[str, ModelSpec]
    gate: dict[str, Any]
    """Thresholds, and how they were calibrated."""
    accompanist: dict[str, Any]
    """The grid that it was trained for: `gap_steps` and what else `device.left_hand.accompanist` reads."""
    training: dict[str, Any]
    """How the models came about: configurations, seeds, commands, and how int8 compared with float."""
    metrics: dict[str, Any]
    """Figures measured from the bundle's own .tflite files."""
    data: tuple[DataSource, ...]
    files: dict[str, str]
    """File name → sha256, for every file of the bundle but the manifest."""

    def to_json(self) -> str:
        """The text of `manifest.json`."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_manifest(text: bytes, named: str = MANIFEST) -> Manifest:
    """The manifest in `text`; raises BundleError for what is not one, or is for a newer device."""
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
    missing = [name for name in MODELS if name not in manifest.models]
    if missing:
        raise BundleError(f"{named}: models has no {missing[0]}, only {sorted(manifest.models)}.")
    return manifest


def _check_versions(data: dict[str, Any], named: str) -> None:
    # asked before the rest is read: a newer schema is not to blame for keys that this one does not know
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


class MisfitError(Exception):
    """A value that does not fit its place; the text names both."""


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _decode(wanted: Any, value: Any, where: str) -> Any:
    """`value` from JSON as the annotated type `wanted`."""
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
    hints = get_type_hints(wanted)
    names = {field.name for field in fields(wanted)}
    needed = {field.name for field in fields(wanted) if field.default is MISSING}
    for name in sorted(needed - value.keys()):
        raise MisfitError(f"{prefix}{name} is missing")
    for name in sorted(value.keys() - names):
        raise MisfitError(f"{prefix}{name} is not a key of schema {SCHEMA}")
    return wanted(**{name: _decode(hints[name], entry, f"{prefix}{name}") for name, entry in value.items()})


_KINDS: Mapping[Any, str] = types.MappingProxyType({str: "text", int: "a whole number", float: "a number"})


def _kind(value: Any) -> str:
    return "nothing" if value is None else repr(value) if not isinstance(value, (dict, list)) else type(value).__name__
