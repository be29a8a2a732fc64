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
