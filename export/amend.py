"""`python -m export.amend` adds measured figures, or a gate that was fitted again, to a bundle that exists already.

The gate turns the transcriber's outputs into notes. Its section holds thresholds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from device.bundles.bundle import Bundle
from device.errors import UserError
from export.conversion.verify import RUNTIMES
from export.files import read_json
from export.write import rewrite


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--metrics", "metrics", multiple=True, metavar="NAME=FILE", help="Figures under a name; repeatable.")
@click.option("--gate", type=click.Path(path_type=Path), help="The gate's section (JSON).")
@click.option("--accompanist", type=click.Path(path_type=Path), help="The accompanist's section (JSON).")
def main(bundle: Path, metrics: tuple[str, ...], gate: Path | None, accompanist: Path | None) -> None:
    """Rewrite manifest and model card of BUNDLE. Its models stay the same byte for byte."""
    manifest = Bundle.open(bundle).manifest
    changes: dict[str, Any] = {"metrics": dict(manifest.metrics)}
    for entry in metrics:
        name, equals, file = entry.partition("=")
        if not equals:
            raise UserError(f"--metrics takes NAME=FILE, not {entry}.")
        changes["metrics"][name] = read_json(Path(file))
    if gate:
        changes["gate"] = read_json(gate)
    if accompanist:
        changes["accompanist"] = read_json(accompanist)
    for line in rewrite(bundle, RUNTIMES, **changes):
        click.echo(line)


if __name__ == "__main__":
    try:
        main(prog_name="python -m export.amend")
    except UserError as error:
        click.echo(error, err=True)
        sys.exit(error.exit_code)
