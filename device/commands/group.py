"""A click group that imports a command only when it is used, so that each needs only its own packages."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from device.errors import UserError


class Commands(click.Group):
    """A group of click commands. `places` maps the name of each command to its module and function.

    The two are separated by a colon, as in "device.commands.play:play". A UserError ends the program with its exit code
    and one sentence on stderr, which begins with `speaker`.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], speaker: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._places, self._speaker = places, speaker

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        module, name = self._places[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"{self._speaker}: {error}", err=True)
            ctx.exit(error.exit_code)
