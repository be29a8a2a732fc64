"""Defines command-line options that several commands share."""

from __future__ import annotations

import math
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


def settings_file(told: str) -> Callable[[Any], Any]:
    """Return a decorator that adds the option `--config FILE` to a command.

    The command gets FILE as its parameter `path`. `told` is the text that `--help` shows for the option.
    """
    return click.option(
        "--config",
        "path",
        type=FilePath(),
        metavar="FILE",
        default=DEFAULT_PATH,
        show_default=True,
        help=told,
    )
