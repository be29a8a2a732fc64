"""The list of the wheels that may go to a Pi, with their versions and SHA-256: deploy/wheels.lock.

`python -m deploy lock` makes the list again from the registry. A person reads the difference before it is committed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from packaging.utils import parse_wheel_filename

from deploy import payload
from deploy.ownwheel import own_wheel
from deploy.target import ARCHITECTURES, Target
from deploy.wheels import Downloads, Wheel, closure, requirements
from device.errors import UserError

FILE = Path(__file__).with_name("wheels.lock")
SYSTEMS = (((3, 11), (2, 36)), ((3, 13), (2, 41)))
"""(Python, glibc) of Debian 12 and 13, on which Raspberry Pi OS Bookworm and Trixie are built."""

Locked = Mapping[str, Mapping[str, str]]
"""Name of a system -> file name of a wheel -> its SHA-256 in hexadecimal."""


def system_of(target: Target) -> str:
    """Return the name of the target's system in the list, such as aarch64-cp311."""
    return f"{target.arch}-cp{target.python[0]}{target.python[1]}"


def read_lock(path: Path = FILE) -> Locked:
    """Return the list in the file `path`. Raises UserError if it cannot be read."""
    try:
        locked: Locked = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}): restore it with `git checkout {path.name}`.") from None
    return locked


def pins(locked: Locked, target: Target) -> list[str]:
    """Return pip's constraints for `target`: one line `name==version` for each distribution.

    Raises UserError if the list has no entry for the target's system.
    """
    system = system_of(target)
    if system not in locked:
        known = ", ".join(sorted(locked))
        raise UserError(
            f"{FILE.name} lists no wheels for {system}, only for {known}: write Raspberry Pi OS Bookworm or Trixie."
        )
    parsed = [parse_wheel_filename(name)[:2] for name in locked[system]]
    return sorted(f"{name}=={version}" for name, version in parsed)


def check(locked: Locked, target: Target, wheels: Sequence[Wheel]) -> None:
    """Raise UserError if one of `wheels` is not in the list or has other bytes than the listed one."""
    listed = locked[system_of(target)]
    for wheel in wheels:
        name = wheel.path.name
        if name not in listed:
            raise UserError(f"{name} is not in {FILE.name}: run `python -m deploy lock` and read what it changes.")
        if wheel.sha256 != listed[name]:
            raise UserError(
                f"{name} is not the file that {FILE.name} lists (sha256 {wheel.sha256}): remove {wheel.path.parent}, "
                f"and do not use that registry if it gives the same file again."
            )


@click.command()
def lock() -> None:
    """Write deploy/wheels.lock: the newest wheels of the registry that fit, for every system."""
    cache = payload.ROOT / ".cache" / "wheels"
    own = own_wheel(cache)
    found: dict[str, dict[str, str]] = {}
    for arch in ARCHITECTURES:
        for python, glibc in SYSTEMS:
            target = Target(arch, python, glibc)
            _, target = payload.packages(requirements(own, target, payload.EXTRAS), target)
            wheels = closure(own, payload.EXTRAS, target, Downloads(cache, fresh=True))
            others = [wheel for wheel in wheels if wheel.path != own]
            found[system_of(target)] = {wheel.path.name: wheel.sha256 for wheel in others}
            click.echo(f"{system_of(target)}: {', '.join(found[system_of(target)])}")
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
