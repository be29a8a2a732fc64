"""`lefthand panic`."""

from __future__ import annotations

from pathlib import Path

import click

from device.config import DEFAULT_PATH


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default=DEFAULT_PATH,
    show_default=True,
    help="The settings that name the port.",
)
@click.pass_context
def panic(ctx: click.Context, path: Path) -> None:
    """Let go of every key at the MIDI output, whatever holds it."""
    from device.silence import main

    ctx.exit(main(path))
