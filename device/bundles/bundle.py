"""A bundle: two models and all that a device needs to run them. Every file is checked before it is used.

A bundle is a folder of manifest.json, manifest.sha256, transcriber.tflite, accompanist.tflite, golden.npz and
MODEL_CARD.md. `manifest.sha256` holds the line that `sha256sum manifest.json` prints. The manifest holds the sha256 of
each other file. Every file is read only once, so the checked bytes are the bytes that are used.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.bundles.manifest import CARD, GOLDEN, MANIFEST, Manifest, read_manifest
from device.bundles.ranges import check_features
from device.bundles.signature import SIGNATURE, check_signature
from device.bundles.tflite import RuntimeName, StepModel
from device.errors import BundleError
from device.hearing.features import Features, FeatureSpec

MANIFEST_SUM = "manifest.sha256"
LARGEST_FILE = 64 * 2**20
"""Largest allowed size of one file in bytes. A model that is fast enough for a Pi is far smaller.

The limit keeps a wrong file from filling the memory.
"""
LARGEST_BUNDLE = 64 * 2**20
"""Largest allowed size in bytes of all files of a bundle together, and of all unpacked arrays of golden.npz.

A bundle has about one million bytes.
"""
MOST_ARRAYS = 256
"""Largest allowed number of arrays in golden.npz. A bundle has about thirty."""
FEATURE_TOLERANCE = 1e-4
"""Largest allowed difference between computed and stored features, as a share of full scale.

The last bits of a transform differ between numpy 1 and 2, and between x86 and ARM.
"""
GOLDEN_SAMPLES, GOLDEN_FRAMES = "features/samples", "features/frames"


def default_bundle() -> Path:
    """Return the folder of the bundle that is shipped with the device."""
    return Path(__file__).parent / "default"


def folder_of(path: str | os.PathLike[str]) -> Path:
    """Return the folder of the bundle at `path`, without links. Raises BundleError if it is no folder.

    It is resolved once, so that a `current` link that moves meanwhile cannot mix two bundles.
    """
    try:
        folder = Path(os.path.realpath(path))
        is_folder = folder.is_dir()
    except (OSError, ValueError):  # the name is too long, or a damaged recording names it with a zero
        is_folder = False
    if not is_folder:
        raise BundleError(f"{path} is not a bundle: no such folder.")
    return folder


@dataclass(frozen=True)
class Bundle:
    """Holds the checked contents of a bundle: manifest and files. `Bundle.open` makes one."""

    path: Path
    manifest: Manifest
    digest: str
    """sha256 of the manifest. It identifies the whole bundle, because the manifest holds the sha256 of each file."""
    contents: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def open(cls, path: str | os.PathLike[str], signers: Path | None = None) -> Bundle:
        """Open the bundle in the folder `path`, check every byte of it, and return it.

        With `signers`, one of the keys in that file must have signed the bundle. The signature is checked before any
        value of the manifest is used. Raises BundleError for a bundle that this device cannot or should not run. The
        error names the value wanted and the value found. Raises UserError if a signature cannot be checked.
        """
        folder = folder_of(path)
        text = _read(folder, MANIFEST)
        if signers is not None:
            check_signature(text, folder / SIGNATURE, signers)
        digest = hashlib.sha256(text).hexdigest()
        stated = _read(folder, MANIFEST_SUM)
        if stated != manifest_sum(text):
            found = " ".join(stated[:100].decode("ascii", "replace").split())
            raise BundleError(f"{folder / MANIFEST} is damaged: its sha256 is {digest}, {MANIFEST_SUM} says {found!r}.")
        manifest = read_manifest(text, str(folder / MANIFEST))
        contents: dict[str, bytes] = {}
        for name, wanted in manifest.files.items():
            contents[name] = _read(folder, name, wanted)
            if sum(map(len, contents.values())) > LARGEST_BUNDLE:
                raise BundleError(
                    f"{folder} has more than {LARGEST_BUNDLE} bytes of files: it is no bundle of this device."
                )
        for name in (GOLDEN, CARD, *(model.file for model in manifest.models.values())):
            if name not in contents:
                raise BundleError(f"{folder / MANIFEST} gives no sha256 for {name}, only for {sorted(contents)}.")
        bundle = cls(folder, manifest, digest, contents)
        # they are not kept: a box at the piano does not need them again
        bundle._check_features(bundle._read_golden())
        return bundle

    @cached_property
    def golden(self) -> Mapping[str, NDArray[Any]]:
        """Return the golden arrays by name. They are unpacked at the first call, because a box that plays needs none.

        `open` has checked them.
        """
        return self._read_golden()

    def _read_golden(self) -> dict[str, NDArray[Any]]:
        return read_arrays(self.contents[GOLDEN], str(self.path / GOLDEN))

    @property
    def features(self) -> FeatureSpec:
        """Return the parameters by which sound is turned into the input of the transcriber.

        They come from the manifest. Raises BundleError if they are not valid.
        """
        try:
            spec = FeatureSpec.from_dict(self.manifest.features)
            check_features(spec)
        except (TypeError, ValueError) as error:
            raise BundleError(f"{self.path / MANIFEST}: features: {error}.") from error
        return spec

    def transcriber(self, runtime: RuntimeName | None = None) -> StepModel:
        """Return a new copy of the transcriber, the model that finds notes in sound. All its states are zero.

        Raises BundleError or UserError as `model` does.
        """
        return self.model("transcriber", runtime)

    def accompanist(self, runtime: RuntimeName | None = None) -> StepModel:
        """Return a new copy of the accompanist, the model for the left hand. All its states are zero.

        Raises BundleError or UserError as `model` does.
        """
        return self.model("accompanist", runtime)

    def model(self, name: str, runtime: RuntimeName | None = None) -> StepModel:
        """Return a new step model by its name in the manifest. `runtime` forces one of the two TFLite runtimes.

        Raises BundleError if the model cannot be loaded or its tensors differ from those in the manifest. Raises
        UserError if the runtime is not installed.
        """
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

    def _check_features(self, golden: Mapping[str, NDArray[Any]]) -> None:
        """Raise BundleError if the features of this machine are not those with which the bundle was made."""
        spec = self.features
        where = self.path / MANIFEST
        for name in ("sample_rate", "hop"):
            outer, inner = getattr(self.manifest, name), getattr(spec, name)
            if outer != inner:
                raise BundleError(f"{where}: {name} is {outer}, features.{name} is {inner}.")
        for name in (GOLDEN_SAMPLES, GOLDEN_FRAMES):
            if name not in golden:
                raise BundleError(f"{self.path / GOLDEN} has no {name}, only {sorted(golden)}.")
        wanted = golden[GOLDEN_FRAMES]
        found = Features(spec).frames(golden[GOLDEN_SAMPLES])
        if found.shape != wanted.shape:
            raise BundleError(f"Features here have the shape {found.shape}, the golden frames {wanted.shape}.")
        apart = float(np.max(np.abs(found - wanted)))
        if not apart <= FEATURE_TOLERANCE:
            raise BundleError(
                f"Features here differ from the golden frames by {apart:.2g} of full scale, {FEATURE_TOLERANCE:.0e} is "
                f"allowed: this bundle was made for other feature code."
            )


def manifest_sum(text: bytes) -> bytes:
    """Return the content of `manifest.sha256` for a manifest `text`, in the form of sha256sum."""
    return f"{hashlib.sha256(text).hexdigest()}  {MANIFEST}\n".encode("ascii")


def _read(folder: Path, name: str, digest: str | None = None) -> bytes:
    """Return the bytes of the file `name` of the bundle in `folder`.

    Raises BundleError if the file is missing, unreadable, too large, not a plain file or outside the folder, or if its
    sha256 is not `digest` (None skips this last check).
    """
    if name in ("", ".", "..") or name != Path(name).name or not name.isprintable() or "\\" in name:
        raise BundleError(f"{folder / MANIFEST} names the file {name!r}, a bundle's files lie in its own folder.")
    path = folder / name
    try:
        # a link could lead out of the folder, and opening a pipe could block without end
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


def read_arrays(content: bytes, named: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of the .npz file `content` by name.

    Raises BundleError, with the file name `named`, if the file is damaged or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            entries = packed.infolist()
        # asked before anything is unpacked: three megabytes can hold three gigabytes of zeros
        if len(entries) > MOST_ARRAYS or sum(entry.file_size for entry in entries) > LARGEST_BUNDLE:
            raise BundleError(f"{named} unpacks to more than {LARGEST_BUNDLE} bytes or {MOST_ARRAYS} arrays.")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except _UNREADABLE as error:
        raise BundleError(f"{named} is not readable as arrays: {error}.") from error


_UNREADABLE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError, SyntaxError),
    *(TypeError, ValueError, zipfile.BadZipFile, zlib.error),
)
"""Errors that zipfile and numpy raise for damaged or hostile archives."""
