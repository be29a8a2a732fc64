"""Finds the files that somebody may mean who wrote a name that no file has."""

from __future__ import annotations

import itertools
import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote

_MOST_LOOKED_AT = 10_000
"""Most files of a folder whose names are compared."""
_QUOTES = "'\"\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb`"
"""Quotes of a shell and of texts."""
_MOST_NAMED = 3
"""Most names that are given."""


def near_names(path: Path) -> list[Path]:
    """Return the files beside `path`, which does not exist, that have nearly its name; at most _MOST_NAMED.

    Their names differ in capital and small letters, in how an accent is written, in quotes and other signs that belong
    to a shell or to an address, or in the end after the point, which file managers hide. Those with another end are
    given only if there are no others. The nearest come first.
    """
    wanted = _key(_cleaned(path.name))
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
    alike = [found for found in near if not found[0]]
    return [path.with_name(name) for _, name in sorted(alike or near)[:_MOST_NAMED]]


def _cleaned(name: str) -> str:
    """Return a name without what comes with it from elsewhere: quotes, blanks around it, signs for its blanks."""
    return unquote(name.replace("\\ ", " ").strip().strip(_QUOTES))


def _key(name: str) -> str:
    """Return a text that is the same for names that look alike."""
    return unicodedata.normalize("NFC", name).casefold()
