"""Finds the files that somebody may mean who wrote a name that no file has."""

from __future__ import annotations

import itertools
import os
import unicodedata
from pathlib import Path

_MOST_LOOKED_AT = 10_000
"""Most files of a folder whose names are compared."""
_MOST_NAMED = 3
"""Most names that are given."""


def near_names(path: Path) -> list[Path]:
    """Return the files beside `path`, which does not exist, that have nearly its name; at most _MOST_NAMED.

    Their names differ in capital and small letters, in how an accent is written, or in the end after the point, which
    file managers hide. The nearest come first.
    """
    wanted = _key(path.name)
    near: list[tuple[int, str]] = []
    try:
        with os.scandir(path.parent) as entries:
            for entry in itertools.islice(entries, _MOST_LOOKED_AT):
                there = _key(entry.name)
                grades = (there == wanted, there.startswith(f"{wanted}."), Path(there).stem == Path(wanted).stem)
                if any(grades) and entry.is_file():
                    near.append((grades.index(True), entry.name))
    except OSError:
        return []
    return [path.with_name(name) for _, name in sorted(near)[:_MOST_NAMED]]


def _key(name: str) -> str:
    """Return a text that is the same for names that look alike."""
    return unicodedata.normalize("NFC", name).casefold()
