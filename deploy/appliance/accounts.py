"""Makes and removes the system account of the service, and the groups whose members may send bundles (flash)."""

from __future__ import annotations

import grp
import pwd
import shutil

from .machine import Report, run
from .places import PAGE_STATE, PAGE_USER, STATE, USER


def make(groups: list[str], operator: str, report: Report) -> None:
    """Add the accounts, groups and folder of the service that this machine lacks.

    The accounts are the system users `USER`, a member of the group audio, and `PAGE_USER`, with groups of the same
    names. The folder is `PAGE_STATE`, which `PAGE_USER` owns. Each name in `groups` becomes a system group, and the
    user `operator`, who runs the provisioning, becomes its member. (root needs no membership.) `report` prints each
    change. Raises StepError if a command fails.
    """
    for user, home in ((USER, STATE), (PAGE_USER, PAGE_STATE)):
        if not _user(user) and report.change(f"add the system user {user}"):
            existing = ["--gid", user] if _group(user) else ["--user-group"]
            options = ["--system", *existing, "--no-create-home", "--home-dir", str(home)]
            run("useradd", *options, "--shell", "/usr/sbin/nologin", user)
    if not PAGE_STATE.is_dir() and report.change(f"make {PAGE_STATE}"):
        run("install", "-d", "-m", "700", "-o", PAGE_USER, "-g", PAGE_USER, str(PAGE_STATE))
    if not _is_member(USER, "audio") and report.change(f"let {USER} use sound and MIDI (group audio)"):
        run("usermod", "--append", "--groups", "audio", USER)
    for group in groups:
        if not _group(group) and report.change(f"add the group {group}"):
            run("groupadd", "--system", group)
        if operator != "root" and not _is_member(operator, group) and report.change(f"let {operator} flash ({group})"):
            run("usermod", "--append", "--groups", group, operator)


def remove(groups: list[str], user_too: bool, report: Report) -> None:
    """Remove the groups named in `groups`, and the user `PAGE_USER` with its folder `PAGE_STATE`.

    If `user_too` is true, also remove the user `USER`. `report` prints each change. Raises StepError if a command
    fails.
    """
    for group in groups:
        if _group(group) and report.change(f"remove the group {group}"):
            run("groupdel", group)
    if PAGE_STATE.is_dir() and report.change(f"remove {PAGE_STATE}"):
        shutil.rmtree(PAGE_STATE)
    for user in (PAGE_USER, *([USER] if user_too else [])):
        if _user(user) and report.change(f"remove the user {user}"):
            run("userdel", user)
            if _group(user):
                run("groupdel", user)


def _user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _group(name: str) -> bool:
    return any(entry.gr_name == name for entry in grp.getgrall())


def _is_member(user: str, group: str) -> bool:
    return any(user in entry.gr_mem for entry in grp.getgrall() if entry.gr_name == group)
