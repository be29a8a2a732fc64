"""Replaces an output file at the end of its writing, so that an old file stays whole until the new one is complete."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

LONGEST_NAME = 255
"""Bytes that a file name has at most on the usual file systems."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path of a temporary file beside `path`, and rename it to `path` at the end.

    A link is followed, and the permissions of an old file are kept. An exception removes the temporary file. A killed
    process leaves it, and the next run overwrites it. A device or pipe, such as /dev/stdout, is written directly.
    Raises OSError if the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))
    if target.exists() and not target.is_file():
        yield target
        return
    beside = _beside(target)
    beside.unlink(missing_ok=True)
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        if target.exists():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        yield beside
        _sync(beside)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _beside(target: Path) -> Path:
    """Return the name of the temporary file. It begins with a point, so that folder views hide it."""
    kept = os.fsencode(target.name)[: LONGEST_NAME - len("..new")]
    return target.with_name(os.fsdecode(b"." + kept + b".new"))


def _sync(path: Path) -> None:
    """Write the file through to the disk: a power cut after the rename would otherwise leave it empty."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
