"""`python -m training COMMAND`: everything that happens on the workstation before export.

Commands live beside the code they drive and are imported only when called, so that `--help` needs no Keras.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from device.errors import UserError

COMMANDS = {
    "prepare": "training.prepare:prepare",
    "banks": "training.banks:banks",
    "scenes": "training.scene_cache:scenes",
    "hear": "training.hear:hear",
    "notes": "training.notes:notes",
    "play": "training.accompany:accompany",
    "seeds": "training.seeds:seeds",
    "gate": "training.gatefit:gate",
    "levers": "training.levers:levers",
    "evaluate": "training.evaluate:evaluate",
    "rhythm": "training.rhythm:rhythm",
    "resamplers": "training.resamplers:resamplers",
    "report": "training.report:report",
    "listen": "training.listening:listen",
    "demo": "training.demo:demo",
}
"""name -> module:function of the click command."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(import_module(module), function)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"training: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=LazyGroup)
def main() -> None:
    """Prepare data, fit both models and measure them."""


if __name__ == "__main__":
    main(prog_name="python -m training")
