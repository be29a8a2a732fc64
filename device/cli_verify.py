"""`lefthand verify`."""

from __future__ import annotations

from pathlib import Path

import click

from device.bundle import Bundle, default_bundle


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path), default=default_bundle)
def verify(bundle: Path) -> None:
    """Check a BUNDLE of models, from schema to golden outputs, in the runtime at hand. [the shipped one]"""
    from device.golden import verify as lines_of

    for line in lines_of(Bundle.open(bundle)):
        click.echo(line)
