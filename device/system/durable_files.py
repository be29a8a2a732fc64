"""Changes files so that a power cut does no harm: after it, each change is either complete or not made at all.

All functions raise OSError if the disk refuses the change.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

READABLE, PRIVATE = 0o644, 0o640
"""Permissions of a file that every account may read, and of one that only its account and its group may read."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def sync_folder(folder: Path) -> None:
    """Write the names of the files in `folder` to the disk, so that they survive a power cut."""
    descriptor = os.open(folder, _FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, content: bytes, mode: int = READABLE) -> None:
    """Write a new file to the disk, in place of one of that name. Its name is safe only after `sync_folder`.

    `mode` holds its permissions, from which the umask may take some.
    """
    # a file that is already there could be a link to another
    path.unlink(missing_ok=True)
    descriptor = os.open(path, _NEW, mode)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes, mode: int = READABLE) -> None:
    """Replace the file `path` by `content`, and make its folder. The content is on the disk when this returns.

    `mode` holds the permissions of the file, from which the umask may take some.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        write(beside, content, mode)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    # the name of the file is stored in the folder
    sync_folder(path.parent)


def point(link: Path, target: str) -> None:
    """Make the symbolic link `link` point to `target`. An old link is replaced."""
    beside = link.with_name(f".{link.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)
    sync_folder(link.parent)


def unlink(path: Path) -> None:
    """Remove a file or link. Does nothing if `path` does not exist."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Rename a file or folder. `target` must not exist."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def discard(path: Path) -> None:
    """Remove the file, link or whole folder at `path`. Does nothing if there is none."""
    if path.is_symlink() or path.is_file():
        unlink(path)
    elif path.exists():
        shutil.rmtree(path)
        sync_folder(path.parent)
