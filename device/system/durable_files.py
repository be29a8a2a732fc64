"""Changes of files that a power cut cannot halve: each is either wholly there afterwards or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def sync_folder(folder: Path) -> None:
    """Brings the names in `folder` to the disk."""
    descriptor = os.open(folder, _FOLDER)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, content: bytes) -> None:
    """Writes a file to the disk; its name is there for certain only after `sync_folder`."""
    descriptor = os.open(path, _NEW, 0o644)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, on the disk when this returns; makes the folder. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    try:
        write(beside, content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    # the new name itself lies in the folder
    sync_folder(path.parent)


def point(link: Path, target: str) -> None:
    """Lets the symbolic link `link` point to `target` from now on."""
    beside = link.with_name(f".{link.name}.new")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    beside.replace(link)
    sync_folder(link.parent)


def unlink(path: Path) -> None:
    """Removes a file or link, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
        sync_folder(path.parent)


def move(source: Path, target: Path) -> None:
    """Renames a file or folder; `target` must not be there."""
    source.rename(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def discard(path: Path) -> None:
    """Removes what lies at `path`, if anything; a folder with all that is in it."""
    if path.is_symlink() or path.is_file():
        unlink(path)
    elif path.exists():
        shutil.rmtree(path)
        sync_folder(path.parent)
