"""`lefthand`: the one command on the box and beside it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from device.errors import UserError
from device.version import VERSION

COMMANDS = {
    "play": "device.cli_play:play",
    "run": "device.cli_run:run",
    "status": "device.cli_status:status",
    "doctor": "device.cli_doctor:doctor",
    "calibrate": "device.cli_calibrate:calibrate",
    "synth": "device.cli_synth:synth",
    "devices": "device.cli_run:devices",
    "panic": "device.cli_panic:panic",
    "verify": "device.cli_verify:verify",
    "slot": "device.cli_slot:slot",
}
"""name -> module:function of the click command, imported when it is named."""


class _Group(click.Group):
    """A group that imports a command when it is named and prints what a person can mend as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"lefthand: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group)
@click.version_option(VERSION, prog_name="lefthand")
def main() -> None:
    """You play the right hand; it plays the left."""


if __name__ == "__main__":
    main(prog_name="lefthand")
