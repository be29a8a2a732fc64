"""A bundle as one file, to be sent: an uncompressed tar, of which nothing is believed when it is unpacked."""

from __future__ import annotations

import tarfile
from pathlib import Path

from device.bundles.bundle import LARGEST_FILE
from device.errors import BundleError
from device.system import durable_files

LARGEST_ARCHIVE = LARGEST_FILE
"""Bytes; a bundle has about one million."""
MOST_FILES = 32
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpacks `archive` into the new folder `folder` and onto the disk: the names of its files.

    Only plain files with plain names in the archive's own top folder are taken, each once. Raises BundleError.
    """
    folder.mkdir(mode=0o755)
    names: list[str] = []
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                _check(member, names)
                content = tar.extractfile(member)
                data = content.read() if content is not None else b""
                if len(data) != member.size:
                    raise BundleError(f"The archive ends within {member.name}: send it again.")
                durable_files.write(folder / member.name, data)
                names.append(member.name)
            end = tar.offset
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
        raise BundleError(f"The archive cannot be unpacked ({error}): pack and send the bundle again.") from error
    with archive.open("rb") as file:
        # tarfile takes damage between two files for the end
        file.seek(end)
        rest = file.read()
    if len(rest) < 2 * tarfile.BLOCKSIZE or any(rest):
        raise BundleError("The archive does not end as a tar does: pack and send the bundle again.")
    durable_files.sync_folder(folder)
    return names


def _check(member: tarfile.TarInfo, before: list[str]) -> None:
    name = member.name
    if not name or name.startswith(".") or not set(name) <= _PLAIN or len(name) > 64:
        raise BundleError(f"The archive holds {name[:200]!r}, a bundle's files lie in its own folder: pack it again.")
    if not member.isreg() or member.issparse():
        raise BundleError(f"The archive holds {name}, which is no plain file: pack the bundle again.")
    if name in before:
        raise BundleError(f"The archive holds {name} twice: pack the bundle again.")
    if len(before) >= MOST_FILES:
        raise BundleError(f"The archive holds more than {MOST_FILES} files, a bundle has about seven: pack it again.")
    # what follows the header cannot be more than the archive itself, so its size bounds what is written
    if not 0 <= member.size <= LARGEST_FILE:
        raise BundleError(f"{name} has {member.size} bytes in the archive, at most {LARGEST_FILE} are taken.")
