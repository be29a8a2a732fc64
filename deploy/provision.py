"""`python -m deploy provision` installs the box on a Raspberry Pi OS Lite. `unprovision` removes it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from deploy import payload
from deploy.appliance.hotspot import NAME
from deploy.keys import DEFAULT_KEY, ensure_key, public_of, signers_line
from deploy.lock import check, pins, read_lock
from deploy.ownwheel import own_wheel
from deploy.remote import Remote, connected
from deploy.ssh import Host
from deploy.target import Target
from deploy.wheels import Downloads, Wheel, closure, requirements
from device.errors import UserError
from device.printable import printable

CACHE = payload.ROOT / ".cache" / "wheels"
READY_WITHIN_S = 60.0
"""Seconds in which the service must report READY after its start. Otherwise the installation has failed."""

KINDS: dict[str, Any] = {
    **dict.fromkeys(("arch", "system", "staged"), str),
    **dict.fromkeys(("bits", "free"), int),
    **dict.fromkeys(("python", "glibc", "missing"), list),
    **dict.fromkeys(("distributions", "wheels"), dict),
    **dict.fromkeys(("apt", "systemd", "root"), bool),
    "current": str | None,
}
"""Kind of each fact about a Pi that the provisioning uses."""

_host = click.option("--host", required=True, metavar="USER@HOST", help="A host as for ssh.")
_dry = click.option("--dry-run", is_flag=True, help="Show the changes without making them.")


@click.command()
@_host
@_dry
@click.option("--key", type=click.Path(path_type=Path), default=DEFAULT_KEY, help="The key that signs bundles.")
@click.option(
    "--wheel", type=click.Path(path_type=Path, exists=True), help="The wheel to install. [built from the checkout]"
)
@click.option(
    "--ready-within", "limit_s", type=float, default=READY_WITHIN_S, show_default=True, help="Seconds until READY."
)
@click.option("--hotspot", metavar="NAME", help="Open an access point of this name where there is no known network.")
def provision(
    host: str, dry_run: bool, key: Path, wheel: Path | None, limit_s: float, hotspot: str | None = None
) -> None:
    """Install the box on a Raspberry Pi, or update the software there."""
    if hotspot is not None and not NAME.fullmatch(hotspot):
        raise UserError("The name of the access point has 2 to 32 letters, digits, spaces, dots or hyphens: change it.")
    with connected(Host(host)) as remote, _at_work(remote) as folder:
        probe = _probe(remote, folder)
        target = Target.of(probe, host)
        click.echo(f"{host}: {probe['system']}, {target.arch}, Python {target.python_version}")
        signers = "" if dry_run and not public_of(key).is_file() else signers_line(ensure_key(key))
        own = wheel or own_wheel(CACHE)
        operator = remote.run("id", "-un").strip()
        packages, target = payload.packages(requirements(own, target, payload.EXTRAS), target)
        locked = read_lock()
        wheels = closure(own, payload.EXTRAS, target, Downloads(CACHE), pins(locked, target))
        check(locked, target, [one for one in wheels if one.path != own])
        name = payload.release(wheels, target)
        plan = payload.plan(name, packages, wheels, probe["staged"], signers, operator, limit_s, hotspot)
        if not dry_run and probe["current"] != name:
            _send(remote, wheels, probe)
        _run(remote, folder, plan, ["apply"], dry_run, probe)
        if not dry_run:
            remote.run("rm", "-rf", probe["staged"])


@click.command()
@_host
@_dry
@click.option("--purge", is_flag=True, help="Remove settings, keys, models and the service's account too.")
def unprovision(host: str, dry_run: bool, purge: bool) -> None:
    """Remove from a Raspberry Pi what provisioning installed, and print what stays.

    Debian packages stay. Settings, keys, models and the service's account stay unless --purge is given.
    """
    with connected(Host(host)) as remote, _at_work(remote) as folder:
        probe = _probe(remote, folder)
        plan = payload.plan("", list(payload.PACKAGES), [], probe["staged"], "", remote.run("id", "-un").strip(), 0)
        words = ["remove", *(["--purge"] if purge else [])]
        _run(remote, folder, plan, words, dry_run, probe)
        if not dry_run:
            remote.run("rm", "-rf", str(Path(probe["staged"]).parent))


@contextmanager
def _at_work(remote: Remote) -> Iterator[str]:
    """Make a temporary folder on the Pi for the scripts, and yield its path. It is removed afterwards."""
    folder = remote.run("mktemp", "-d", "/tmp/lefthand-XXXXXXXX").strip()
    try:
        yield folder
    finally:
        # the result is ignored, so a failure here does not hide an earlier error
        remote.succeeds("rm", "-rf", folder)


def _probe(remote: Remote, folder: str) -> dict[str, Any]:
    """Return facts about the Pi (see `appliance.probe`). The scripts are first sent to `folder`.

    Raises UserError if the Pi has no Python 3.11 or newer, or if it does not run Debian with systemd.
    """
    if not remote.succeeds("python3", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        raise UserError(
            f"{remote.name} has no Python 3.11 or newer: write Raspberry Pi OS Bookworm or Trixie (64-bit) on its card."
        )
    remote.put(payload.scripts({}), folder)
    words = ("python3", "-m", "appliance", "probe", *payload.PACKAGES)
    probe = facts(remote.run("sh", "-c", f"cd {folder} && {shlex.join(words)}"), remote.name)
    if not (probe["apt"] and probe["systemd"]):
        raise UserError(f"{remote.name} is not a Debian with systemd: write Raspberry Pi OS Lite (64-bit) on its card.")
    return probe


def facts(said: str, host: str) -> dict[str, Any]:
    """Return the facts about `host` that `appliance.probe` has printed as the text `said`.

    Raises UserError if they are not what it prints.
    """
    try:
        found = json.loads(said)
        for name, kind in KINDS.items():
            if not isinstance(found[name], kind):
                raise TypeError(name)
        for name in ("arch", "system", "staged"):
            found[name] = printable(found[name])
        numbers = [*found["python"], *found["glibc"]]
        texts = [*found["missing"], *found["distributions"].values(), *found["wheels"].values(), found["current"] or ""]
        if len(numbers) != 4 or not all(isinstance(number, int) for number in numbers):
            raise TypeError("python and glibc")
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("texts")
    except (ValueError, RecursionError, KeyError, TypeError):
        raise UserError(
            f"{host} answers with something else than facts about itself: try `ssh {host}` first."
        ) from None
    probe: dict[str, Any] = found
    return probe


def _send(remote: Remote, wheels: list[Wheel], probe: dict[str, Any]) -> None:
    """Send the wheels that are not on the Pi yet. Raises UserError if its disk has no room for them."""
    size = sum(wheel.path.stat().st_size for wheel in wheels)
    if probe["free"] < payload.SPACE_OF_WHEELS * size:
        raise UserError(
            f"{remote.name} has {probe['free'] >> 20} MiB free, {payload.SPACE_OF_WHEELS * size >> 20} MiB are needed: "
            f"make room there."
        )
    lacking = {wheel.path.name: wheel.path for wheel in wheels if probe["wheels"].get(wheel.path.name) != wheel.sha256}
    if not lacking:
        return
    total = sum(path.stat().st_size for path in lacking.values())
    label = f"  sending {len(lacking)} wheels, {total / 1e6:.0f} MB"
    with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
        remote.put(lacking, probe["staged"], bar.update)


def _run(
    remote: Remote, folder: str, plan: dict[str, Any], words: list[str], dry_run: bool, probe: dict[str, Any]
) -> None:
    """Run the command `words` of `deploy.appliance` on the Pi as root, and show its output.

    A dry run does not need root. It runs as root only if sudo asks for no password. Raises UserError if the command
    fails.
    """
    remote.put(payload.scripts(plan), folder)
    free = probe["root"] or remote.succeeds("sudo", "-n", "true")
    sudo = [] if probe["root"] or (dry_run and not free) else ["sudo"]
    command = [*sudo, "python3", "-m", "appliance", *words, "plan", *(["--dry-run"] if dry_run else [])]
    if remote.show("sh", "-c", f"cd {folder} && {shlex.join(command)}", tty=bool(sudo) and not free):
        raise UserError(f"{remote.name} was not provisioned completely: the lines above give the reason.")
