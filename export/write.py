"""Writes a bundle into a folder: model files, manifest, model card, and the SHA-256 sums of all files.

The bundle is written beside its final place and tested there as on a device. It is moved only if the test passes.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.bundles.bundle import MANIFEST_SUM, Bundle, manifest_sum
from device.bundles.golden import verify
from device.bundles.manifest import CARD, GOLDEN, MANIFEST, Manifest
from device.bundles.tflite import RuntimeName
from device.errors import UserError
from export.card import card


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of golden.npz with these arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(arrays))
    return buffer.getvalue()


def write_bundle(
    out: Path, manifest: Manifest, contents: Mapping[str, bytes], runtimes: tuple[RuntimeName, ...]
) -> list[str]:
    """Write a bundle into the folder `out`. Returns the lines of text that its self-tests have printed.

    `contents` holds the .tflite files and golden.npz, by file name. The card and all sums are made here. If `out` holds
    a bundle already, it is replaced after the written bundle has passed its self-test in every runtime. If the
    self-test fails, BundleError is raised and `out` stays as it was. Raises UserError if `out` holds files that are no
    bundle.
    """
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise UserError(f"{out} holds files that are not a bundle: name another folder.")
    files = {**contents, CARD: card(manifest).encode("utf-8")}
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    text = replace(manifest, files=sums).to_json().encode("utf-8")
    files |= {MANIFEST: text, MANIFEST_SUM: manifest_sum(text)}
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    incoming, old = (out.parent / f".{out.name}.{kind}-{os.getpid()}" for kind in ("incoming", "old"))
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir()
    try:
        for name, content in files.items():
            (incoming / name).write_bytes(content)
        bundle = Bundle.open(incoming)
        lines = [line for runtime in runtimes for line in verify(bundle, runtime)]
        _swap(incoming, out, old)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return list(dict.fromkeys(lines))


def _swap(incoming: Path, out: Path, old: Path) -> None:
    if not out.exists():
        incoming.replace(out)
        return
    out.replace(old)
    try:
        incoming.replace(out)
    except OSError:
        old.replace(out)
        raise
    shutil.rmtree(old)


def rewrite(folder: Path, runtimes: tuple[RuntimeName, ...], **changes: Any) -> list[str]:
    """Set the manifest's entries `changes` in the bundle in `folder`, and write its card again.

    The models stay unchanged. Returns the lines of text that the self-tests have printed. Raises BundleError if a
    self-test fails.
    """
    bundle = Bundle.open(folder)
    kept = {GOLDEN, *(model.file for model in bundle.manifest.models.values())}
    contents = {name: content for name, content in bundle.contents.items() if name in kept}
    return write_bundle(folder, replace(bundle.manifest, **changes), contents, runtimes)
