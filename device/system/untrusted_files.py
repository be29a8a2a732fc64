"""Reads and writes files in places where another account or a broken program may have put something else.

A link could lead to a file of this account, a pipe could block without end, and a large file could fill the memory. All
functions raise OSError if they meet such a thing, or if the disk refuses.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

SMALL = 64 * 2**10
"""Bytes. Status, calibration and settings are far smaller."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def read_small(path: Path, most: int = SMALL, follow: bool = False) -> bytes:
    """Return the content of the plain file `path`, of at most `most` bytes. Waits for no pipe.

    Follows a link only if `follow`, for a file whose place its owner chose. Raises OSError if the file cannot be read,
    is no plain file, or is larger.
    """
    with os.fdopen(os.open(path, _READ & ~os.O_NOFOLLOW if follow else _READ), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a plain file", str(path))
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most} bytes", str(path))
    return content


def own_folder(path: Path) -> int:
    """Open the folder `path` and return its descriptor, for the argument `dir_fd` of other calls.

    Makes the folder with the mode 0700 if it is missing. Raises PermissionError if it belongs to another account, or if
    other accounts may write into it, and another OSError if it cannot be opened or made.
    """
    try:
        descriptor = os.open(path, _FOLDER)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
        descriptor = os.open(path, _FOLDER)
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "it does not belong to this account alone", str(path))
    return descriptor


def replace_file(folder: int, name: str, content: bytes) -> None:
    """Replace the file `name` in the opened folder `folder` by `content`. A reader sees the old or the new file.

    `folder` is a descriptor, as `own_folder` returns it. Raises OSError if the file cannot be written.
    """
    beside = f".{name}.new"
    try:
        descriptor = os.open(beside, _NEW, 0o644, dir_fd=folder)
    except FileExistsError:
        # left behind by a process that was killed, or put there by somebody else
        os.unlink(beside, dir_fd=folder)
        descriptor = os.open(beside, _NEW, 0o644, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
