"""Defines a group of click commands. It imports a command only when that command is used.

So each command needs only its own packages.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from device.errors import UserError
from device.printable import printable
from device.system.standard_streams import FULL, drop_output, open_closed_streams


class Commands(click.Group):
    """Holds a group of click commands. `places` maps the name of each command to its module and function.

    A place has a colon between the two, as in "device.commands.play:play". If a command raises UserError, the program
    ends with the exit code of the error, and prints `speaker` and the error's sentence on stderr. It does so too if the
    disk is full on which its output is kept.
    """

    def __init__(self, *args: Any, places: Mapping[str, str], speaker: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._places, self._speaker = places, speaker

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the program, also if it was started without one of the standard streams."""
        open_closed_streams()
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if error.errno not in FULL:
                raise
            drop_output()
            what = "The output" if error.filename is None else printable(str(error.filename))
            self._say(f"{what} cannot be written ({error.strerror}): make room on the disk.")
            sys.exit(UserError.exit_code)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            # `Path.is_file` fails if the word is too long for a name or leads into a folder of somebody else
            if "play" in self._places and os.path.isfile(cmd_name):  # noqa: PTH113
                raise UserError(
                    f"{cmd_name} is no command: `{self._speaker} play {shlex.quote(cmd_name)}` plays the file."
                )
            return None
        module, name = self._places[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            self._say(str(error))
            ctx.exit(error.exit_code)
        except FileNotFoundError:
            if not _works_in_no_folder():
                raise
            self._say("The folder in which you work was removed: change to another one.")
            ctx.exit(UserError.exit_code)

    def _say(self, sentence: str) -> None:
        """Print `sentence` on stderr. If the disk of stderr is full, the exit code alone must say that it failed."""
        try:
            click.echo(f"{self._speaker}: {sentence}", err=True)
        except OSError as error:
            if error.errno not in FULL:
                raise
            drop_output(2)


def _works_in_no_folder() -> bool:
    """Return whether the working folder of the program was removed. Each name without a leading slash then fails."""
    try:
        os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return True
    return False
