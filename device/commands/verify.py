"""Runs `lefthand verify`, which checks a bundle (folder of models)."""

from __future__ import annotations

from pathlib import Path

import click

from device.bundles.bundle import default_bundle, folder_of
from device.bundles.manifest import LARGEST_MANIFEST, MANIFEST
from device.bundles.signature import SIGNATURE, SIGNERS, check_signature
from device.commands.file_path import FilePath
from device.errors import BundleError
from device.flash.preflight import preflight
from device.printable import printable
from device.system.untrusted_files import read_small


@click.command(short_help="Check a bundle of models.")
@click.argument("bundle", type=FilePath(), default=default_bundle)
@click.option(
    "--signers",
    type=FilePath(),
    metavar="FILE",
    help=f"The bundle must be signed by one of the keys in this file. [{SIGNERS}, if it and a signature exist]",
)
def verify(bundle: Path, signers: Path | None) -> None:
    """Check a BUNDLE of models, from schema to golden outputs, in the installed runtime. [the shipped one]"""
    folder = folder_of(bundle)
    click.echo(f"signature   {_signed(folder, signers)}")
    # in a process with limits: nobody has vouched for the bundle yet
    for line in preflight(folder):
        click.echo(printable(line))


def _signed(folder: Path, signers: Path | None) -> str:
    """Return, in words, who has signed the bundle, or why that was not checked.

    Raises UserError if a required signature is missing or wrong.
    """
    if not (folder / MANIFEST).is_file():
        # `Bundle.open` reports a missing manifest with a better sentence
        return "not checked"
    if signers is None and not (folder / SIGNATURE).exists():
        return "none: flashing signs it"
    if signers is None and not SIGNERS.is_file():
        return f"present, but not checked: give --signers, because {SIGNERS} does not exist"
    try:
        manifest = read_small(folder / MANIFEST, LARGEST_MANIFEST)
    except OSError as error:
        raise BundleError(f"{folder / MANIFEST} cannot be read ({error.strerror}): this is no bundle.") from None
    return f"good, by {check_signature(manifest, folder / SIGNATURE, signers or SIGNERS)}"
