"""Defines command-line options that several commands share."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import click

from device.commands.file_path import FilePath
from device.settings.config import DEFAULT_PATH


class FiniteRange(click.FloatRange):
    """Accepts a number in a range, as click's FloatRange does, but not NaN ("not a number").

    FloatRange accepts NaN, because each comparison with NaN is false.
    """

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class WholeRange(click.IntRange):
    """Accepts a whole number in a range, as click's IntRange does. Messages call it so, and not an integer range."""

    name = "whole number"


_KEY_NAME = re.compile(r"([A-G])([#b]?)(-1|\d)", re.IGNORECASE)
"""The name of a key with its octave, such as C4, F#3 or Bb2."""


class KeyOfPiano(WholeRange):
    """Accepts a key of the piano by its MIDI number or by its name: 55 or G3. Middle C is 60 and C4."""

    name = "key"

    def __init__(self) -> None:
        super().__init__(0, 127)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        named = _KEY_NAME.fullmatch(value) if isinstance(value, str) else None
        if named is not None:
            letter, sign, octave = named.groups()
            semitones = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[letter.lower()]
            value = semitones + {"": 0, "#": 1, "b": -1}[sign.lower()] + 12 * (int(octave) + 1)
        return super().convert(value, param, ctx)


def settings_file(told: str, default: str | None = None) -> Callable[[Any], Any]:
    """Return a decorator that adds the option `--config FILE` to a command.

    The command gets FILE as its parameter `path`, and DEFAULT_PATH without the option. `told` and `default` are the
    texts that `--help` shows for the option and for its default, if that is more than DEFAULT_PATH.
    """
    return click.option(
        "--config",
        "path",
        type=FilePath(),
        metavar="FILE",
        default=DEFAULT_PATH,
        show_default=default or True,
        help=told,
    )
