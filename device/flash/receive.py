"""Receives an archive over a connection that may be cut. A later call continues after the bytes already received."""

from __future__ import annotations

import hashlib
import os
import select
import time
from collections.abc import Callable
from pathlib import Path

from device.errors import BundleError, UserError
from device.system import durable_files

CHUNK = 1 << 16
"""Bytes read at once."""
SILENCE_S = 30.0
"""Seconds without a byte after which the connection counts as cut. A lost sender must not block others for ever."""
SPARE = 8 * 2**20
"""Bytes of the disk that stay free for other programs."""


def check_space(folder: Path, needed: int) -> None:
    """Raise UserError if the disk of `folder` has too little room for `needed` more bytes and SPARE."""
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    if free < needed + SPARE:
        raise UserError(
            f"There is no room for the bundle: {folder} has {free / 1e6:.1f} MB left, {(needed + SPARE) / 1e6:.1f} MB "
            f"are needed: make room on the box (`sudo apt clean` and `sudo journalctl --vacuum-size=50M` may help)."
        )


def receive(stream: int, archive: Path, digest: str, size: int, have: Callable[[int], None], limit_s: float) -> None:
    """Read from the descriptor `stream` until the file `archive` has `size` bytes, and write them to the disk.

    `digest` is the SHA-256 of the whole archive in hex. `have` is called with the number of bytes that are already in
    the file, before the first byte is read. A file longer than `size` is emptied first. Raises UserError if the
    connection is cut, or if the rest does not arrive within `limit_s` seconds. Raises BundleError and removes the file
    if the digest differs. Raises OSError if the disk refuses.
    """
    descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        there = os.fstat(descriptor).st_size
        if there > size:
            os.ftruncate(descriptor, 0)
            there = 0
        have(there)
        until_s = time.monotonic() + limit_s
        while there < size:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise UserError(
                    f"The upload did not end within {limit_s:g} s, after {there} of {size} bytes: flash again to "
                    f"continue there."
                )
            block = _block(stream, min(CHUNK, size - there), min(SILENCE_S, left_s))
            if not block and time.monotonic() >= until_s:
                continue
            if not block:
                raise UserError(f"The connection was cut after {there} of {size} bytes: flash again to continue there.")
            there += os.write(descriptor, block)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        durable_files.unlink(archive)
        raise BundleError(f"The archive was damaged on its way (sha256 {found}, not {digest}): flash again.")


def _block(stream: int, most: int, wait_s: float) -> bytes:
    ready, _, _ = select.select([stream], [], [], wait_s)
    if not ready:
        return b""
    try:
        # read no more than the rest of the archive: later bytes of the sender are ignored
        block = os.read(stream, most)
    except OSError:
        return b""
    return block
