"""Runs `lefthand settings`, which lists or removes what the owner changed on the running box."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from device.commands.options import settings_file
from device.control.client import ControlClient, NoBoxError
from device.control.protocol import SOCKET
from device.errors import ConfigError, UserError
from device.printable import printable
from device.settings.changes import Change, Filed, Tables, in_file, overlaid, read_changes, write_changes
from device.settings.config import DEFAULT_PATH, config_of, read_tables
from device.system.account import leave_root
from device.system.paths import run_dir


@click.command(short_help="List or remove what was changed on the running box.")
@settings_file("The settings file that the changes are compared with.", f"that of the running box, or {DEFAULT_PATH}")
@click.option("--reset", is_flag=True, help="Remove all changes, so that the settings file alone counts.")
@click.pass_context
def settings(ctx: click.Context, path: Path, reset: bool) -> None:
    """List the settings that were changed on the running box and differ from the settings file.

    It fails if the box cannot use the settings file, or not together with the changes.
    """
    # the changes belong to the service's account, so root does not read or write them
    leave_root()
    given = ctx.get_parameter_source("path") is not ParameterSource.DEFAULT
    path = path.absolute() if given else _file_of_the_box() or path
    if reset:
        _reset(path)
        return
    tables = read_tables(path)
    changes = read_changes(path)
    for change in changes:
        click.echo(printable(_line(change, in_file(tables, change.section, change.key), path)))
    _check(tables, changes, path)
    if not changes:
        click.echo(printable(f"Nothing differs from {path}."))


def _file_of_the_box() -> Path | None:
    """Return the settings file of the running box; None if no box answers."""
    folder = run_dir()
    if folder is None or not (folder / SOCKET).exists():
        return None
    try:
        with ControlClient(folder) as box:
            return Path(box.ask({"settings": True})["settings"]["file"])
    except UserError:
        return None


def _check(tables: Tables, changes: list[Change], path: Path) -> None:
    """Raise ConfigError if the box cannot use the settings file `path`, or not together with the changes."""
    config_of(tables, str(path))
    try:
        config_of(overlaid(tables, changes), f"{path}, as changed on the box")
    except ConfigError as error:
        raise ConfigError(f"{error} The changes are left out: `lefthand settings --reset` removes them.") from None


def _line(change: Change, now: Filed, path: Path) -> str:
    if now == change.was:
        return f"{change.name} = {_shown(change.value)}; {path} has {_shown(now)}"
    return f"{change.name} = {_shown(now)}; {path} was edited later, so the change to {_shown(change.value)} is over"


def _shown(value: Filed) -> str:
    if value is None:
        return "no value"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)


def _reset(path: Path) -> None:
    """Remove all changes of the settings, and print a sentence.

    If a box runs with this settings file, it removes them, so that they end at once. Otherwise they are removed from
    the disk here. If there are none, the sentence says so. Raises UserError if they cannot be removed.
    """
    if (folder := run_dir()) is not None and _reset_by_the_box(folder, path):
        return
    stored = bool(read_changes(path))
    try:
        # without the right to read the store there are no changes to be seen, so it is written in each case
        write_changes(path, [])
    except OSError as error:
        raise UserError(f"The changes cannot be removed ({error.strerror}): run this with sudo.") from None
    _tell_removed(stored, path)


def _reset_by_the_box(folder: Path, path: Path) -> bool:
    """Let the box whose run directory is `folder` remove the changes, and print a sentence.

    Returns False if no box runs there, or one with another settings file than `path`. Raises UserError if it cannot be
    asked.
    """
    if not (folder / SOCKET).exists():
        return False
    try:
        box = ControlClient(folder)
    except NoBoxError:
        # it was killed, and has left its socket
        return False
    with box:
        answer = box.ask({"settings": True})["settings"]
        if answer["file"] != str(path):
            return False
        box.ask({"reset": True})
    _tell_removed(bool(answer["changed"] or answer["overtaken"]), path)
    return True


def _tell_removed(any_stored: bool, path: Path) -> None:
    """Print whether there were changes, and that the settings file `path` alone counts."""
    said = "The changes are removed" if any_stored else "There were no changes to remove"
    click.echo(printable(f"{said}: {path} counts."))
