"""Finds what was meant by a key or a section of the settings file that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping

from device.printable import shortened

_NEAR = 0.7
"""Least likeness of a misspelt name, from 0 to 1, as difflib counts: one wrong letter of four is near."""
_LONGEST = 40
"""Characters of a name that is looked for. A damaged file may have very long ones, which are like none."""


def about_key(key: str, section: str, keys: Mapping[str, Collection[str]]) -> str:
    """Return a sentence about a key that `section` does not have. `keys` holds the keys of every section.

    It names the sections that have the key, else the key whose name is the nearest, else all keys.
    """
    said = f"[{section}] {shortened(key)} is not a key: "
    form = _form(key)
    elsewhere = [f"[{other}]" for other, names in keys.items() if form in names]
    if elsewhere and form not in keys[section]:
        return f"{said}{form} stands in {' and in '.join(elsewhere)}."
    if near := _nearest(form, keys[section]):
        return f"{said}write {near}."
    return f"{said}the keys are {', '.join(keys[section])}."


def about_section(name: str, keys: Mapping[str, Collection[str]]) -> str:
    """Return a sentence about a section that is not there, or a key that stands above all sections."""
    said = f"{shortened(name)} is not a section: "
    form = _form(name)
    if form not in keys and (owners := [f"[{section}]" for section, names in keys.items() if form in names]):
        return f"{said}{form} is a key of {' and of '.join(owners)}, so write it below such a line."
    if near := _nearest(form, keys):
        return f"{said}write [{near}]."
    return f"{said}the sections are {', '.join(f'[{section}]' for section in keys)}."


def _form(name: str) -> str:
    """Return a name as the settings file writes names: in small letters, with underscores."""
    return "_".join(name.casefold().replace("-", " ").split())


def _nearest(form: str, names: Collection[str]) -> str:
    """Return the name that is the most like `form`, or "" if none is near. A long `form` is like none."""
    found = difflib.get_close_matches(form, list(names), n=1, cutoff=_NEAR) if len(form) <= _LONGEST else []
    return found[0] if found else ""
