"""Turns JSON into the dataclasses of the status, and checks the type of every value."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from device.printable import printable

_hints = cache(get_type_hints)
"""Python evaluates the annotations of a class at each call, and a status is read many times a second."""


def decode(wanted: Any, value: Any) -> Any:
    """Return `value` from JSON as the annotated type `wanted`. Texts are made printable, and unknown keys left out.

    Raises ValueError if `value` does not fit.
    """
    origin = get_origin(wanted)
    if is_dataclass(wanted):
        return _dataclass(wanted, value)
    if origin in (Union, types.UnionType):
        return (
            None if value is None else decode(next(kind for kind in get_args(wanted) if kind is not type(None)), value)
        )
    if origin is list and isinstance(value, list):
        return [decode(get_args(wanted)[0], item) for item in value]
    if origin is dict and isinstance(value, dict):
        return {printable(key): decode(get_args(wanted)[1], item) for key, item in value.items()}
    if origin is Literal and value in get_args(wanted):
        return value
    if wanted is float and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if wanted is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if wanted is bool and isinstance(value, bool):
        return value
    if wanted is str and isinstance(value, str):
        return printable(value)
    raise ValueError(f"{value!r} is not {wanted}")


def _dataclass(wanted: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not an object")
    hints = _hints(wanted)
    for field in fields(wanted):
        if field.name not in value and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{field.name} is missing")
    return wanted(**{name: decode(hints[name], value[name]) for name in hints if name in value})
