"""`python -m export` turns the best weights of the fits into a bundle that a device can run.

A fit is one training run of a net. A bundle is the folder of models that a device loads.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click

from device.bundles.bundle import default_bundle
from device.bundles.manifest import MANIFEST
from device.errors import UserError

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--transcriber", type=_PATH, default=Path(".cache/fits/transcriber"), show_default=True, help="A fit.")
@click.option(
    "--accompanist",
    type=_PATH,
    default=Path(".cache/fits/accompanist"),
    show_default=True,
    help="A fit, or a bundle whose accompanist is kept unchanged.",
)
@click.option("--cache", type=_PATH, default=Path(".cache"), show_default=True, help="Scenes and pieces.")
@click.option("--out", type=_PATH, default=default_bundle, help="Folder of the bundle. Default: the shipped one.")
@click.option("--name", default="default", show_default=True, help="Name of the bundle.")
@click.option("--version", default="1", show_default=True, help="The bundle's own version.")
@click.option("--command", "commands", multiple=True, help="A command that made the fits, for the card; repeatable.")
def main(
    transcriber: Path, accompanist: Path, cache: Path, out: Path, name: str, version: str, commands: tuple[str, ...]
) -> None:
    """Convert both fits to int8, check them step by step in both runtimes and write a bundle."""
    # Fits may run on another backend. Only TensorFlow's converter makes .tflite files.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from export.bundle import Naming, export_bundle, kept
    from export.parts import accompanist_part, transcriber_part
    from export.sources import data_sources
    from training.corpora.pieces import CORPORA
    from training.pianos.banks import bank_names

    hearing, spec, delay = transcriber_part(transcriber, cache)
    whole = (accompanist / MANIFEST).is_file()
    playing = kept(accompanist, "accompanist") if whole else accompanist_part(accompanist, cache)
    rendered = {path.name for path in (cache / "scenes" / "train").iterdir()} & set(CORPORA)
    corpora = sorted(rendered | set(playing.training["corpora"]))
    naming = Naming(name, version, _commit(), (*commands, _own_command()), data_sources(corpora, bank_names(cache)))
    export_bundle(out, naming, hearing, playing, spec, delay, say=click.echo)
    click.echo(f"{out} is written.")


def _commit() -> str:
    """Return the commit of the work tree, with `+changes` if tracked files differ from it."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], check=False).returncode != 0
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+changes" if changed else head


def _own_command() -> str:
    """Return the command line of this export without its --command options, which the model card lists separately."""
    given = sys.argv[1:]
    own = [word for i, word in enumerate(given) if word != "--command" and given[max(i - 1, 0)] != "--command"]
    return f"python -m export {shlex.join(own)}".strip()


if __name__ == "__main__":
    try:
        main(prog_name="python -m export", standalone_mode=True)
    except UserError as error:
        click.echo(error, err=True)
        sys.exit(error.exit_code)
