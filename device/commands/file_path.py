"""Defines the type of the options and arguments that name a file or a folder. It loads no settings."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import click

from device.errors import UserError

_ADDRESS = re.compile(r"(?:(file):(?://(?:localhost)?)?/|(https?|ftp|smb)://)", re.IGNORECASE)
"""Beginning of the address of a file of this machine or of the web. The first ends before the slash of its path."""


class FilePath(click.Path):
    """Accepts the path of a file or folder and gives a Path.

    The address of a file of this machine, such as "file:///home/me/a%20song.mid", is a path too: file managers copy
    paths in this form (RFC 8089). "~/" at the beginning is the home folder. Raises UserError for an empty text, for
    the address of a page of the web, and for one that holds a zero.
    """

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            # pathlib would take it for the folder in which the command runs
            raise UserError("An empty text names no file: check the name.")
        if isinstance(value, str) and value.startswith("~/") and not os.path.lexists(value):
            # a shell leaves it to the program in quotes and after an equals sign
            value = str(Path(value).expanduser())
        found = _ADDRESS.match(value) if isinstance(value, str) else None
        if found is not None and not os.path.lexists(value):
            if found[1] is None:
                raise UserError(f"{value} is an address of the web: download the file, and give its path.")
            value = unquote(value[found.end() - 1 :])
            if "\0" in value:
                raise UserError(f"{value} cannot be the name of a file: check the name.")
        return super().convert(value, param, ctx)
