"""`python -m deploy`: what a workstation does to the box, over SSH."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from device.errors import UserError

COMMANDS = {
    "provision": "deploy.provision:provision",
    "unprovision": "deploy.provision:unprovision",
    "keygen": "deploy.cli:keygen",
    "flash": "deploy.cli:flash",
    "rollback": "deploy.cli:rollback",
    "slots": "deploy.cli:slots",
    "logs": "deploy.cli:logs",
    "doctor": "deploy.cli:doctor",
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
            click.echo(f"deploy: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group)
def main() -> None:
    """A Raspberry Pi that plays, and new models for it, over SSH as you have it configured."""


if __name__ == "__main__":
    main(prog_name="deploy")
