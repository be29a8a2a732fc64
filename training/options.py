"""Options that many commands of `python -m training` have, each with its one help text."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(file_okay=False, path_type=Path)
CACHE = click.option(
    "--cache",
    type=_FOLDER,
    default=Path(".cache"),
    show_default=True,
    help="Folder of what is prepared, rendered and fitted.",
)
DATA = click.option(
    "--data",
    type=_FOLDER,
    default=Path("../shared/data"),
    show_default=True,
    help="Folder of the public downloads, in their published layout.",
)
SEED = click.option("--seed", default=1, show_default=True, help="Seed of everything that is drawn at random.")
