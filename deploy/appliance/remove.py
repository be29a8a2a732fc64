"""Removes everything that provisioning has installed, and lists the things that stay."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from . import accounts, debian, files, hotspot, service
from .machine import Report
from .places import COMMAND, SETTINGS, SOFTWARE, STATE, current
from .software import plan_of


def remove(folder: Path, purge: bool, report: Report) -> None:
    """Remove the software, its service, its rules and the groups of the users who may flash.

    If `purge` is true, also remove settings, keys, state and the service's account. The plans of all environments on
    this machine, and the plan in `folder`, list everything that may have been installed.
    """
    plans = [*_plans(), files.plan_in(folder)]
    service.disable([*_all(plans, "units"), hotspot.UNIT], report)
    for plan in plans:
        for one in plan["files"]:
            files.remove(Path(one["target"]), report)
    files.remove(COMMAND, report)
    hotspot.remove(report)
    accounts.remove(_all(plans, "groups"), purge, report)
    owners = sorted({one["target"] for plan in plans for one in [*plan["first"], *plan["lines"]]})
    asked = sorted(set(_all(plans, "packages")))
    packages = [package for package in asked if package not in debian.missing(asked)]
    if purge:
        _purge(owners, report)
    # Removed last, because it holds the plans. After an interruption, another run starts again from them.
    if SOFTWARE.exists() and report.change(f"remove {SOFTWARE}"):
        shutil.rmtree(SOFTWARE)
    if not report.dry:
        service.reload_units()
    if not report.changes:
        report.say("nothing changed: the software is not installed")
    own = [path for path in owners if not Path(path).is_relative_to(SETTINGS)]
    staying = [path for path in [*own, str(SETTINGS), str(STATE)] if Path(path).exists()]
    if staying:
        report.say(f"what stays: {', '.join(staying)} and the user lefthand who owns it; --purge removes them")
    if packages:
        report.say(f"what stays: the Debian packages {' '.join(packages)}")


def _purge(owners: list[str], report: Report) -> None:
    for target in map(Path, owners):
        if not target.is_relative_to(SETTINGS):
            files.remove(target, report)
    for folder in (SETTINGS, STATE):
        if folder.exists() and report.change(f"remove {folder}"):
            shutil.rmtree(folder)


def _plans() -> list[dict[str, Any]]:
    """Return the plans (dicts) from which the environments on this machine were built.

    The first is that of the environment from which the service runs. Environments without a readable plan are left out.
    """
    names = [path.name for path in sorted(SOFTWARE.iterdir()) if path.is_dir()] if SOFTWARE.is_dir() else []
    names.sort(key=lambda name: name != current())
    return [plan for name in names if name != "current" and (plan := plan_of(name)) is not None]


def _all(plans: list[dict[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(one for plan in plans for one in plan[key]))
