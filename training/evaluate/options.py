"""Options that several of the commands of `training evaluate` have."""

from __future__ import annotations

from pathlib import Path

import click

from device.bundles.bundle import default_bundle

BUNDLE = click.option(
    "--bundle", "folder", type=click.Path(path_type=Path), default=default_bundle, help="Default: the shipped bundle."
)
VALID_OR_TEST = click.Choice(["valid", "test"])
"""Type of an option `--split`: pieces that choose constants, and pieces that are measured once at the end."""
SPLIT_HELP = "valid: pieces that choose constants. test: pieces that are measured once at the end."
