"""Unpacks a bundle that was sent as one uncompressed tar file. Nothing in the archive is trusted."""

from __future__ import annotations

import tarfile
from pathlib import Path

from device.bundles.bundle import LARGEST_FILE
from device.errors import BundleError
from device.system import durable_files

LARGEST_ARCHIVE = LARGEST_FILE
"""Largest archive in bytes. A bundle has about one million."""
MOST_FILES = 32
"""Largest number of files in an archive. A bundle has about seven."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def unpack(archive: Path, folder: Path) -> list[str]:
    """Unpack `archive` into the new folder `folder`, write it to the disk and return the names of its files.

    Raises BundleError unless the tar file is whole, every member is a plain file with a plain name at the top of the
    archive, and each name occurs once. Raises OSError if the folder exists or the disk refuses.
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
        # tarfile takes damage between two files for the end of the archive
        file.seek(end)
        rest = file.read()
    if len(rest) < 2 * tarfile.BLOCKSIZE or any(rest):
        raise BundleError("The archive has no valid end of a tar file: pack and send the bundle again.")
    durable_files.sync_folder(folder)
    return names


def _check(member: tarfile.TarInfo, before: list[str]) -> None:
    """Raise BundleError if a member of the archive cannot be a file of a bundle. `before` are the names before it."""
    name = member.name
    if not name or name.startswith(".") or not set(name) <= _PLAIN or len(name) > 64:
        raise BundleError(f"The archive holds {name[:200]!r}, a bundle's files lie in its own folder: pack it again.")
    if not member.isreg() or member.issparse():
        raise BundleError(f"The archive holds {name}, which is not a plain file: pack the bundle again.")
    if name in before:
        raise BundleError(f"The archive holds {name} twice: pack the bundle again.")
    if len(before) >= MOST_FILES:
        raise BundleError(
            f"The archive holds more than {MOST_FILES} files, but a bundle has about seven: pack it again."
        )
    # a file cannot be larger than the archive that holds it, so the archive's size limits what is written
    if not 0 <= member.size <= LARGEST_FILE:
        raise BundleError(f"{name} has {member.size} bytes in the archive, but at most {LARGEST_FILE} are allowed.")
