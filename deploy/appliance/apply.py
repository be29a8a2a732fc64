"""Applies the plan of provisioning to this machine. Each step changes only the things that differ from the plan.

The plan is the file plan.json from the workstation. It lists packages, wheels and files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import accounts, debian, files, hotspot, service, software
from .machine import Report, StepError, link, run, write
from .places import COMMAND, CURRENT, SOFTWARE, TRIAL, complete, current


def apply(folder: Path, report: Report) -> None:
    """Install what the plan in `folder` lists, and run the service from it. Print every change.

    If the new software does not start, the software that ran before is started again. Raises StepError if a step fails.
    In a dry run the changes are only printed.
    """
    plan = files.plan_in(folder)
    debian.install(plan["packages"], report)
    accounts.make(plan["groups"], plan["operator"], report)
    software.build(plan, Path(plan["staged"]), folder, report)
    files.settle_owners(plan, folder, report)
    _switch(plan, folder, report)
    hotspot.settle(plan.get("hotspot"), report)
    if current() == plan["release"]:
        # one older environment is kept for going back
        before = _others(plan["release"])[:1]
        software.prune({plan["release"], *before}, report)
    if not report.changes:
        report.say("nothing changed")
    if not report.dry:
        _introduce_the_page(report)


def _introduce_the_page(report: Report) -> None:
    """Print the web addresses of the box's page, and the code that opens the page.

    The code is made if there is none. If this fails, the reason is printed, and no error is raised.
    """
    try:
        report.say(run(str(COMMAND), "page", "--code").rstrip())
    except StepError as failure:
        report.say(f"the code of the page cannot be shown: {failure}")


def _switch(plan: dict[str, Any], folder: Path, report: Report) -> None:
    """Install the files of the environment that `plan` names, and run the service from this environment.

    An environment is one version of the software in its own folder. Nothing is restarted if nothing has changed and the
    service is ready. If the service does not start, go back to the environment that ran before, and raise StepError.
    """
    name, old = plan["release"], _proven()
    unproven = TRIAL.exists()
    files.remove_others(old, plan, report)
    changed = files.install(name, folder, report)
    if changed and not report.dry:
        service.reload_units()
    service.enable(plan["units"], report)
    if current() != name and report.change(f"switch from {current() or 'nothing'} to {name}"):
        write(TRIAL, f"{old or ''}\n".encode())
        link(CURRENT, str(SOFTWARE / name))
    elif not changed and not unproven and service.is_ready():
        return
    if not report.change("restart the service and wait for it to be ready"):
        return
    why = service.restarted(plan["ready_within_s"])
    if not why:
        TRIAL.unlink(missing_ok=True)
        report.say("  it is ready")
        service.refresh(plan["units"], report)
        return
    if old is None or old == name:
        raise StepError(f"The service does not start: {why}\nSee `journalctl -u lefthand` there; then provision again.")
    report.say(f"  the new software does not start: {why}")
    _back(old, name, folder, plan, report)


def _back(old: str, name: str, folder: Path, plan: dict[str, Any], report: Report) -> None:
    """Run the service from the environment `old` again, because it did not start from the environment `name`.

    The files of `old` are installed again. If the service then becomes ready, the environment `name` is removed. Always
    raises StepError, which says whether `old` runs again.
    """
    report.change(f"go back to {old}")
    new, before = software.plan_of(name) or plan, software.plan_of(old) or plan
    link(CURRENT, str(SOFTWARE / old))
    service.disable([unit for unit in new["units"] if unit not in before["units"]], report)
    files.remove_others(name, before, report)
    files.install(old, folder, report)
    service.reload_units()
    why = service.restarted(new["ready_within_s"])
    if why:
        raise StepError(f"{old} is back, but does not start either: {why}\nSee `journalctl -u lefthand` there.")
    service.refresh(before["units"], report)
    TRIAL.unlink(missing_ok=True)
    software.prune({old, *_others(name, old)[:1]}, report)
    raise StepError(f"{old} runs again: {name} did not start and was removed.")


def _proven() -> str | None:
    """Return the name of the environment from which the service last became ready, or None.

    None means that there is no such environment or that it is incomplete. A failed switch goes back to it.
    """
    try:
        name: str | None = TRIAL.read_text().strip() or None
    except FileNotFoundError:
        name = current()
    return name if name and complete(name) else None


def _others(*names: str) -> list[str]:
    """Return the names of all complete environments except `names`, the newest first."""
    if not SOFTWARE.is_dir():
        return []
    places = [place for place in SOFTWARE.iterdir() if complete(place.name) and not place.is_symlink()]
    places = [place for place in places if place.name not in names]
    return [place.name for place in sorted(places, key=lambda place: place.stat().st_mtime, reverse=True)]
