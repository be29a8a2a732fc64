"""An archive that comes in over a connection which may be cut: what has arrived stays, and the rest follows later."""

from __future__ import annotations

import hashlib
import os
import select
from collections.abc import Callable
from pathlib import Path

from device.errors import BundleError, UserError
from device.system import durable_files

CHUNK = 1 << 16
SILENCE_S = 30.0
"""A sender who is gone without a word must not keep others waiting for ever."""
SPARE = 8 * 2**20
"""Bytes that are left for everything else on the disk."""


def check_space(folder: Path, needed: int) -> None:
    """Raises UserError where `needed` bytes more would fill the disk of `folder`."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < needed + SPARE:
        raise UserError(
            f"There is no room for the bundle: {folder} has {free / 1e6:.1f} MB left, {(needed + SPARE) / 1e6:.1f} MB "
            f"are needed: make room on the box (`sudo apt clean` and `sudo journalctl --vacuum-size=50M` may help)."
        )


def receive(stream: int, archive: Path, digest: str, size: int, have: Callable[[int], None]) -> None:
    """Fills the file `archive` from the descriptor `stream` up to `size` bytes of the sha256 `digest`, on the disk.

    `have` is told how many bytes are there already, before the first of the others is read. Raises UserError for a
    connection that was cut, BundleError for what arrived otherwise than it was sent; then it is there no longer.
    """
    descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        there = os.fstat(descriptor).st_size
        if there > size:
            os.ftruncate(descriptor, 0)
            there = 0
        have(there)
        while there < size:
            block = _block(stream, min(CHUNK, size - there))
            if not block:
                raise UserError(
                    f"The connection was cut after {there} of {size} bytes: flash again, it goes on from there."
                )
            there += os.write(descriptor, block)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        durable_files.unlink(archive)
        raise BundleError(f"What arrived is not what was sent (sha256 {found}, not {digest}): flash again.")


def _block(stream: int, most: int) -> bytes:
    ready, _, _ = select.select([stream], [], [], SILENCE_S)
    if not ready:
        return b""
    try:
        # not more than is left: what a sender says after that is not for us
        block = os.read(stream, most)
    except OSError:
        return b""
    return block
