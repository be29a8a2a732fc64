"""Changes constants of the device for the length of a `with` block, to measure what other values would do.

The shipped values were chosen in this way, on validation pieces.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

from device.errors import UserError

HAND = ("device.left_hand",)
"""Names of the modules or packages that decide what the left hand plays."""
CLOCK = ("device.following",)
"""Names of the modules or packages of the clock that follows the player."""


def modules_of(owners: Sequence[str]) -> list[ModuleType]:
    """Import and return the modules named in `owners`. A package stands for all modules in it and in its packages."""
    modules = []
    for owner in map(importlib.import_module, owners):
        if hasattr(owner, "__path__"):
            found = pkgutil.walk_packages(owner.__path__, f"{owner.__name__}.")
            modules += [importlib.import_module(entry.name) for entry in found if not entry.ispkg]
        else:
            modules.append(owner)
    return modules


def numbers_of(module: ModuleType) -> dict[str, float]:
    """Return the module's constants that are numbers (with upper-case names), by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float) and not isinstance(value, bool)
    }


def places_of(name: str, modules: Sequence[ModuleType]) -> list[ModuleType]:
    """Return the modules in which `name` is a number: those that define the constant, and those that import it.

    `NAME` must have the same value in all of `modules`, or else it is more than one constant. `file.NAME` takes the
    value in the module with that file name, and stands for every module where the constant has this value. Raises
    UserError if there is no such constant, or more than one.
    """
    file, _, constant = name.rpartition(".")
    values = {module: numbers_of(module)[constant] for module in modules if constant in numbers_of(module)}
    asked = {value for module, value in values.items() if file in ("", module.__name__.rpartition(".")[2])}
    if not asked:
        known = sorted({name for module in modules for name in numbers_of(module)})
        raise UserError(f"There is no constant {name!r}: choose one of {', '.join(known)}.")
    if len(asked) > 1:
        ways = " or ".join(f"{module.__name__.rpartition('.')[2]}.{constant}" for module in values)
        raise UserError(f"There is more than one constant {name!r}: write {ways}.")
    return [module for module, value in values.items() if value in asked]


def parse(change: str) -> tuple[str, float]:
    """Return name and value of `NAME=VALUE`. Raises UserError if VALUE is not a number."""
    name, _, value = change.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise UserError(f"{change!r} gives {name} no number: write {name}=0.5, for instance.") from None


@contextmanager
def changed(changes: Sequence[str], owners: Sequence[str]) -> Iterator[None]:
    """Set the constants in `changes` inside the block, and set their old values again after it.

    A change is `NAME=VALUE` or, where two files have a constant of that name, `file.NAME=VALUE`. A constant
    that is an int stays an int. `owners` names modules or packages. Raises UserError for an unknown or ambiguous
    name, and for a value that is not a number.
    """
    modules = modules_of(owners)
    wanted = []
    for change in changes:
        name, value = parse(change)
        wanted += [(module, name.rpartition(".")[2], value) for module in places_of(name, modules)]
    before = [(module, name, numbers_of(module)[name]) for module, name, _ in wanted]
    try:
        for module, name, value in wanted:
            setattr(module, name, type(numbers_of(module)[name])(value))
        yield
    finally:
        for module, name, old in reversed(before):
            setattr(module, name, old)
