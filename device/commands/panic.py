"""Runs `lefthand panic`, which releases every key at the MIDI output."""

from __future__ import annotations

from pathlib import Path

import click

from device.commands.options import settings_file


@click.command(short_help="Release every key at the MIDI output.")
@settings_file("The settings that name the port.")
@click.pass_context
def panic(ctx: click.Context, path: Path) -> None:
    """Release every key at the MIDI output, even if another program holds it down."""
    from device.service.panic import main

    ctx.exit(main(path))
