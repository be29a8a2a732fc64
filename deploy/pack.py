"""Packs a signed bundle into one file. The same bundle and key give the same bytes, so a cut upload can continue."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from deploy.keys import DEFAULT_KEY, sign
from device.bundles.bundle import MANIFEST_SUM, Bundle
from device.bundles.manifest import MANIFEST
from device.bundles.signature import SIGNATURE


@dataclass(frozen=True)
class Package:
    """A signed archive that is sent to a box, and the bundle from which it was made."""

    content: bytes
    bundle: Bundle

    @property
    def id(self) -> str:
        """Identifies the archive: the SHA-256 of `content` in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def pack(bundle: Bundle, key: Path = DEFAULT_KEY) -> Package:
    """Return a package of `bundle`: a tar archive with its files and a signature of its manifest by the key `key`.

    Raises UserError if the manifest cannot be signed. Raises RuntimeError if it changed after the bundle was opened.
    """
    manifest = (bundle.path / MANIFEST).read_bytes()
    if hashlib.sha256(manifest).hexdigest() != bundle.digest:
        raise RuntimeError(f"{bundle.path} changed while it was read")
    files = {
        MANIFEST: manifest,
        SIGNATURE: sign(manifest, key),
        MANIFEST_SUM: (bundle.path / MANIFEST_SUM).read_bytes(),
        **dict(sorted(bundle.contents.items())),
    }
    return Package(archived(files), bundle)


def archived(files: dict[str, bytes]) -> bytes:
    """Return a tar archive of `files` (name -> content) in their order.

    Its bytes do not depend on the time or the user.
    """
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.mtime = len(content), 0o644, 0
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()
