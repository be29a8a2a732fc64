"""Hides the lines that libraries written in C print to stderr: the box reports their failures in its own words."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send stderr to /dev/null inside the `with` block.

    libasound and libjack write a line for each missing device, and libmpg123 writes one for an MP3 that was cut.
    """
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


@contextlib.contextmanager
def without_line(noise: bytes) -> Iterator[None]:
    """Keep the line `noise` off a terminal. All other lines of the `with` block are printed at its end.

    `noise` is given without the end of the line. If stderr is no terminal, nothing is held back: the journal of the box
    then also has the last line of a library that ends the process.
    """
    if not os.isatty(2):
        yield
        return
    # in memory, because the disk may be full
    with os.fdopen(os.memfd_create("stderr"), "w+b") as held:
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
