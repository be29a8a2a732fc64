"""Runs `lefthand slot`, which lists and changes the models on this box. `python -m deploy` calls it over SSH."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import click

from device.bundles.manifest import LARGEST_MANIFEST, MANIFEST
from device.bundles.slots import NAMES, LockedError, Slots
from device.errors import UserError
from device.flash.install import Tell
from device.flash.unpack import LARGEST_ARCHIVE
from device.printable import printable
from device.system.account import leave_root
from device.system.untrusted_files import read_small

_DIGEST = re.compile(r"[0-9a-f]{64}")


@click.group()
def slot() -> None:
    """Manage the bundles of this box. The box has two slots for bundles and plays one of them."""


@slot.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_obj
def list_slots(site: Any, as_json: bool) -> None:
    """List the bundle in each slot, and show which one plays."""
    if site is None:
        # the slots belong to the service's account, so root does not read them
        leave_root()
    slots = site.slots if site is not None else Slots()
    found = contents(slots)
    click.echo(json.dumps(found) if as_json else "\n".join(_lines(found)))


@slot.command()
@click.argument("digest", metavar="SHA256")
@click.argument("size", type=click.IntRange(1, LARGEST_ARCHIVE))
@click.pass_obj
def receive(site: Any, digest: str, size: int) -> None:
    """Read an archive from stdin and let its bundle play. Prints one line of JSON for each step."""
    if not _DIGEST.fullmatch(digest):
        raise UserError("SHA256 must be 64 hexadecimal digits: `python -m deploy flash` sends them.")
    # after the archive has arrived, the trial runs to its end even if the connection is lost
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def tell(step: str, said: str, **facts: object) -> None:
        if step == "received":
            _ignore_the_keyboard()
        _tell(step, said, **facts)

    _run(site, lambda install: install.receive(sys.stdin.fileno(), digest, size), tell)


@slot.command()
@click.pass_obj
def rollback(site: Any) -> None:
    """Return to the bundle that played before the current one.

    Prints one line for each step: a sentence on a terminal, else JSON.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _ignore_the_keyboard()
    _run(site, lambda install: install.rollback(), _say if sys.stdout.isatty() else _tell)


def contents(slots: Slots) -> dict[str, Any]:
    """Return the slots (places for models), the slot on trial and whether a flash runs, as JSON values.

    A flash installs new models and tries them. `lefthand slot list --json` prints these values.
    """
    active = slots.active()
    trial = slots.trial()
    found = []
    for name in (*NAMES, None):
        entry: dict[str, Any] = {"slot": name or "shipped", "current": name == active, "id": slots.id(name)}
        if name is not None and (verdict := slots.verdict(name)) is not None:
            entry |= {"good": verdict.good, "why": verdict.why, "at": verdict.at}
        found.append(entry | _manifest(slots.folder(name)))
    return {"slots": found, "trial": None if trial is None else trial.slot, "busy": slots.in_use()}


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        text = json.loads(read_small(folder / MANIFEST, LARGEST_MANIFEST))
        return {key: printable(str(text[key])) for key in ("name", "version", "created")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for entry in found["slots"]:
        mark = "▶" if entry["current"] else " "
        what = f"{entry['id']}  {entry.get('name', '?')} {entry.get('version', '?')}, {entry.get('created', '?')}"
        verdict = f"  {'good' if entry['good'] else 'bad'}: {entry['why']}" if "good" in entry else ""
        on_trial = "  on trial" if entry["slot"] == found["trial"] else ""
        lines.append(f"{mark} {entry['slot']:<8} {what if entry['id'] else 'empty'}{verdict}{on_trial}")
    if found["busy"]:
        lines.append("A flash or rollback is running.")
    return lines


def _ignore_the_keyboard() -> None:
    """Ignore the signals that keys of a terminal send, such as Ctrl-C.

    If Ctrl-C stopped the trial of new models, it would be undone.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
        signal.signal(number, signal.SIG_IGN)


def _run(site: Any, work: Any, tell: Tell) -> None:
    """Call `work` with an object that installs models, and send each step to `tell`.

    If it is refused or fails, that is one more step "refused", and the program exits with the status of the error,
    mostly 2.
    """
    from device.flash.box import this_box
    from device.flash.install import Install
    from device.flash.restart import Restarter

    try:
        box = site if site is not None else this_box()
        work(Install(box, Restarter(box.restart, box.account), tell))
    except LockedError as error:
        tell("refused", str(error), busy=True)
        sys.exit(error.exit_code)
    except UserError as error:
        tell("refused", str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        tell("refused", f"{error.filename or 'A file'} cannot be used ({error.strerror}): check the box's disk.")
        sys.exit(2)


def _say(step: str, said: str, **facts: object) -> None:
    """Print a step as a sentence, for a person. A refusal goes to stderr, as that of each other command."""
    if step == "refused":
        click.echo(f"lefthand: {printable(said)}", err=True)
    else:
        _print(f"{printable(said).rstrip('.')}.")


def _tell(step: str, said: str, **facts: object) -> None:
    """Print a step as a line of JSON, for a program."""
    _print(json.dumps({"step": step, "said": printable(said), **facts}))


def _print(line: str) -> None:
    try:
        print(line, flush=True)
    except OSError:
        # the reader is gone, but the work continues
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
