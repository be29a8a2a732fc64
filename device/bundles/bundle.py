"""A bundle: two models and all that a device must know to run them, checked before any of it is used.

A bundle is a folder of manifest.json, manifest.sha256, transcriber.tflite, accompanist.tflite, golden.npz and
MODEL_CARD.md. `manifest.sha256` is what `sha256sum manifest.json` prints; the manifest holds the other files' sums.
Every file is read once, and what was summed is what is used: nothing can change in between.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.bundles.manifest import CARD, GOLDEN, MANIFEST, Manifest, read_manifest
from device.bundles.tflite import RuntimeName, StepModel
from device.errors import BundleError
from device.hearing.features import Features, FeatureSpec

MANIFEST_SUM = "manifest.sha256"
LARGEST_FILE = 64 * 2**20
"""Bytes; far beyond any model that a Pi could step in a hop, so that a wrong file cannot fill its memory."""
FEATURE_TOLERANCE = 1e-4
"""Of full scale: numpy 1 and 2, x86 and ARM differ in the last bits of a transform."""
GOLDEN_SAMPLES, GOLDEN_FRAMES = "features/samples", "features/frames"


def default_bundle() -> Path:
    """The bundle that is shipped with the device."""
    return Path(__file__).parent / "default"


@dataclass(frozen=True)
class Bundle:
    """An opened bundle; `open` is the way to get one."""

    path: Path
    manifest: Manifest
    digest: str
    """sha256 of the manifest, and so of everything."""
    contents: Mapping[str, bytes] = field(repr=False)
    golden: Mapping[str, NDArray[Any]] = field(repr=False)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Bundle:
        """The bundle in the folder `path`, every byte of it checked.

        Raises BundleError for what this device cannot or should not run, with what was wanted and what was found.
        """
        # resolved once: a `current` link that moves meanwhile must not mix two bundles
        folder = Path(path).resolve()
        if not folder.is_dir():
            raise BundleError(f"{path} is not a bundle: no such folder.")
        text = _read(folder, MANIFEST)
        digest = hashlib.sha256(text).hexdigest()
        stated = _read(folder, MANIFEST_SUM)
        if stated != manifest_sum(text):
            found = " ".join(stated[:100].decode("ascii", "replace").split())
            raise BundleError(f"{folder / MANIFEST} is damaged: its sha256 is {digest}, {MANIFEST_SUM} says {found!r}.")
        manifest = read_manifest(text, str(folder / MANIFEST))
        contents = {name: _read(folder, name, wanted) for name, wanted in manifest.files.items()}
        for name in (GOLDEN, CARD, *(model.file for model in manifest.models.values())):
            if name not in contents:
                raise BundleError(f"{folder / MANIFEST} gives no sha256 for {name}, only for {sorted(contents)}.")
        bundle = cls(folder, manifest, digest, contents, _read_arrays(contents[GOLDEN], str(folder / GOLDEN)))
        bundle._check_features()
        return bundle

    @property
    def features(self) -> FeatureSpec:
        """What turns samples into the transcriber's frames."""
        try:
            return FeatureSpec.from_dict(self.manifest.features)
        except TypeError as error:
            raise BundleError(f"{self.path / MANIFEST}: features: {error}.") from error

    def transcriber(self, runtime: RuntimeName | None = None) -> StepModel:
        """A new transcriber at its beginning."""
        return self.model("transcriber", runtime)

    def accompanist(self, runtime: RuntimeName | None = None) -> StepModel:
        """A new accompanist at its beginning."""
        return self.model("accompanist", runtime)

    def model(self, name: str, runtime: RuntimeName | None = None) -> StepModel:
        """A new step model by its name in the manifest, its tensors checked against the manifest's."""
        spec = self.manifest.models[name]
        model = StepModel(self.contents[spec.file], runtime=runtime)
        wanted = {tensor.name: tensor for tensor in spec.tensors}
        where = self.path / spec.file
        if wanted.keys() != model.tensors.keys():
            raise BundleError(f"{where} has tensors {sorted(model.tensors)}, the manifest says {sorted(wanted)}.")
        for tensor in wanted.values():
            found = model.tensors[tensor.name]
            if not tensor.alike(found):
                raise BundleError(f"{where}: {tensor.name} is {found}, the manifest says {tensor}.")
        return model

    def _check_features(self) -> None:
        spec = self.features
        where = self.path / MANIFEST
        for name in ("sample_rate", "hop"):
            outer, inner = getattr(self.manifest, name), getattr(spec, name)
            if outer != inner:
                raise BundleError(f"{where}: {name} is {outer}, features.{name} is {inner}.")
        for name in (GOLDEN_SAMPLES, GOLDEN_FRAMES):
            if name not in self.golden:
                raise BundleError(f"{self.path / GOLDEN} has no {name}, only {sorted(self.golden)}.")
        wanted = self.golden[GOLDEN_FRAMES]
        found = Features(spec).frames(self.golden[GOLDEN_SAMPLES])
        if found.shape != wanted.shape:
            raise BundleError(f"Features here have the shape {found.shape}, the golden frames {wanted.shape}.")
        apart = float(np.max(np.abs(found - wanted)))
        if not apart <= FEATURE_TOLERANCE:
            raise BundleError(
                f"Features here differ from the golden frames by {apart:.2g} of full scale, {FEATURE_TOLERANCE:.0e} is "
                f"allowed: this bundle was made for other feature code."
            )


def manifest_sum(text: bytes) -> bytes:
    """What `manifest.sha256` holds, in the form of sha256sum."""
    return f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode("ascii")


def _read(folder: Path, name: str, digest: str | None = None) -> bytes:
    """The bytes of one of the bundle's files, of the sum `digest` if given."""
    if name in ("", ".", "..") or name != Path(name).name or not name.isprintable() or "\\" in name:
        raise BundleError(f"{folder / MANIFEST} names the file {name!r}, a bundle's files lie in its own folder.")
    path = folder / name
    try:
        # a link would leave the folder, and opening a pipe would wait for ever
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST_FILE:
                raise BundleError(f"{path} is not a plain file of at most {LARGEST_FILE} bytes.")
            content = file.read(LARGEST_FILE)
    except FileNotFoundError as error:
        raise BundleError(f"{path} is missing: the bundle is not whole.") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from error
    found = hashlib.sha256(content).hexdigest()
    if digest is not None and found != digest:
        raise BundleError(f"{path} is damaged: its sha256 is {found}, the manifest says {digest}.")
    return content


def _read_arrays(content: bytes, named: str) -> dict[str, NDArray[Any]]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, zipfile.BadZipFile, AttributeError) as error:
        raise BundleError(f"{named} is not readable as arrays: {error}.") from error
