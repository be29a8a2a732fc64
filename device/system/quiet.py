"""Hides the lines that libraries written in C print to stderr: the box reports their failures in its own words."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path


class _Silence:
    """Counts the blocks of all threads in which stderr is silenced, and keeps a descriptor of the real stderr."""

    lock = threading.RLock()
    blocks = 0
    stderr = -1


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send stderr to /dev/null inside the `with` block.

    libasound and libjack write a line for each missing device, and libmpg123 writes one for an MP3 that was cut.
    Blocks of several threads may overlap. The first one silences stderr, and the last one restores it.
    """
    with _Silence.lock:
        if not _Silence.blocks:
            with Path(os.devnull).open("wb") as nothing:
                _Silence.stderr = os.dup(2)
                os.dup2(nothing.fileno(), 2)
        _Silence.blocks += 1
    try:
        yield
    finally:
        with _Silence.lock:
            _Silence.blocks -= 1
            if not _Silence.blocks:
                os.dup2(_Silence.stderr, 2)
                os.close(_Silence.stderr)


@contextlib.contextmanager
def without_line(noise: bytes) -> Iterator[None]:
    """Keep the line `noise` off a terminal. All other lines of the `with` block are printed at its end.

    `noise` is given without the end of the line. If stderr is no terminal, nothing is held back: the journal of the box
    then also has the last line of a library that ends the process. A thread that begins or ends `quiet` waits for the
    end of the block.
    """
    if not os.isatty(2):
        yield
        return
    # in memory, because the disk may be full
    with _Silence.lock, os.fdopen(os.memfd_create("stderr"), "w+b") as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            held.seek(0)
            for line in held:
                if line.rstrip(b"\r\n") != noise:
                    os.write(2, line)
