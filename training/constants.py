"""The device's constants with other values for a while: how the shipped ones were chosen, on validation pieces."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from device.errors import UserError

HAND = ("device.lefthand", "device.texture", "device.hand", "device.accompanist", "device.ending")
"""Modules of what decides the left hand."""
CLOCK = ("device.follow", "device.pulse", "device.belief", "device.countin", "device.readings")
"""Modules of the clock that follows."""


def parse(changes: Sequence[str], owners: Sequence[str]) -> dict[str, float]:
    """Values by name from `NAME=VALUE`; raises UserError for a name that no module of `owners` has as a number."""
    values: dict[str, float] = {}
    known = sorted({name for owner in owners for name in numbers_of(importlib.import_module(owner))})
    for change in changes:
        name, _, value = change.partition("=")
        if name not in known:
            raise UserError(f"There is no constant {name!r}: choose one of {', '.join(known)}.")
        try:
            values[name] = float(value)
        except ValueError:
            raise UserError(f"{change!r} gives {name} no number: write {name}=0.5, for instance.") from None
    return values


def numbers_of(module: ModuleType) -> dict[str, float]:
    """The module's upper-case numbers by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float) and not isinstance(value, bool)
    }


@contextmanager
def changed(changes: Sequence[str], owners: Sequence[str]) -> Iterator[None]:
    """Within it the constants named in `changes` (`NAME=VALUE`) have these values, whole numbers stay whole."""
    values = parse(changes, owners)
    before = []
    for module in map(importlib.import_module, owners):
        for name, old in numbers_of(module).items():
            if name in values:
                before.append((module, name, old))
                setattr(module, name, type(old)(values[name]))
    try:
        yield
    finally:
        for module, name, old in before:
            setattr(module, name, old)
