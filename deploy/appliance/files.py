"""Installs the files outside the environment's folder.

An environment is one version of the software in its own folder in /opt/lefthand. Some files belong to an environment
and change with it: systemd units, rules and helper scripts. The other files belong to the owner of the box: settings
and keys. They are written only once.
"""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path
from typing import Any

from .machine import Report, StepError, content, link, run, write
from .places import COMMAND, COMMAND_TARGET, FILES, SOFTWARE
from .software import plan_of

CHECKED_IN = Path("/run")
"""Folder in which a file is checked before it is installed."""


def install(name: str, folder: Path, report: Report) -> bool:
    """Install the files of the environment `name`. Returns True if anything changed or would change.

    The link `COMMAND` is made too. The files are copied from the environment's folder. In a dry run that folder may not
    exist yet; then they are read from `folder`, to which the workstation sent them. Raises StepError if a file is
    missing, or if its check rejects it.
    """
    plan = plan_of(name) or plan_in(folder)
    source = SOFTWARE / name / FILES
    changed = False
    for one in plan["files"]:
        target = Path(one["target"])
        data = content(source / one["source"]) or content(folder / "files" / one["source"])
        if data is None:
            raise StepError(f"{source / one['source']} is missing: provision again.")
        mode = int(one["mode"], 8)
        try:
            if _is(target, data, mode):
                continue
        except PermissionError:
            report.say(f"  only root can read {target}: it may change")
            continue
        changed = True
        if report.change(f"write {target}"):
            _checked(data, one.get("check"), target)
            write(target, data, mode)
    if not (COMMAND.is_symlink() and str(COMMAND.readlink()) == COMMAND_TARGET):
        changed = True
        if report.change(f"link {COMMAND} to {COMMAND_TARGET}"):
            link(COMMAND, COMMAND_TARGET)
    return changed


def settle_owners(plan: dict[str, Any], folder: Path, report: Report) -> None:
    """Write the owner's files that do not exist yet, and add the missing lines to the files of keys.

    The owner may change these files later. `folder` is the folder to which the workstation sent them.
    """
    for one in plan["first"]:
        target = Path(one["target"])
        if not target.exists() and report.change(f"write {target}"):
            data = (folder / "files" / one["source"]).read_bytes()
            write(target, data, int(one["mode"], 8))
    for one in plan["lines"]:
        target = Path(one["target"])
        there = (content(target) or b"").decode(errors="replace")
        if one["line"] not in there.splitlines() and report.change(f"add {one['what']} to {target}"):
            before = there if not there or there.endswith("\n") else there + "\n"
            write(target, (before + one["line"] + "\n").encode(), int(one["mode"], 8))


def remove_others(old: str | None, new: dict[str, Any], report: Report) -> None:
    """Remove from this machine the files that the environment `old` installed and that the plan `new` does not list.

    If `old` is None, nothing is removed.
    """
    staying = {one["target"] for one in new["files"]}
    for one in (plan_of(old) or {"files": []})["files"] if old else []:
        if one["target"] not in staying:
            remove(Path(one["target"]), report)


def remove(path: Path, report: Report) -> None:
    """Remove the file or link `path` if it exists, and print this. In a dry run, only print it."""
    if (path.exists() or path.is_symlink()) and report.change(f"remove {path}"):
        path.unlink()


def plan_in(folder: Path) -> dict[str, Any]:
    """Return the plan that the workstation sent to `folder`: the dict in the file plan.json."""
    plan: dict[str, Any] = json.loads((folder / "plan.json").read_text())
    return plan


def _is(target: Path, data: bytes, mode: int) -> bool:
    try:
        return target.read_bytes() == data and stat.S_IMODE(target.stat().st_mode) == mode
    except FileNotFoundError:
        return False


def _checked(data: bytes, check: str | None, target: Path) -> None:
    """Raise StepError if the command `check` rejects a file with the content `data`.

    The check is needed because a bad sudoers file would take the right to use sudo from everyone.
    """
    if check is None:
        return
    trial = CHECKED_IN / f".{target.name}.lefthand-check"
    write(trial, data, 0o440)
    try:
        run(*shlex.split(check), str(trial))
    finally:
        trial.unlink()
