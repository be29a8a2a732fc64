"""Makes and removes the system account of the service, and the groups whose members may send bundles (flash)."""

from __future__ import annotations

import grp
import pwd

from .machine import Report, run
from .places import STATE, USER


def make(groups: list[str], operator: str, report: Report) -> None:
    """Add what is missing of the service's accounts on this machine.

    These are the system user `USER` with a group of the same name, and its membership in the group audio. Each name in
    `groups` becomes a system group, and the user `operator`, who runs the provisioning, becomes its member. (root needs
    no membership.) `report` prints each change.
    """
    if not _user(USER) and report.change(f"add the system user {USER}"):
        existing = ["--gid", USER] if _group(USER) else ["--user-group"]
        options = ["--system", *existing, "--no-create-home", "--home-dir", str(STATE), "--shell", "/usr/sbin/nologin"]
        run("useradd", *options, USER)
    if not _is_member(USER, "audio") and report.change(f"let {USER} use sound and MIDI (group audio)"):
        run("usermod", "--append", "--groups", "audio", USER)
    for group in groups:
        if not _group(group) and report.change(f"add the group {group}"):
            run("groupadd", "--system", group)
        if operator != "root" and not _is_member(operator, group) and report.change(f"let {operator} flash ({group})"):
            run("usermod", "--append", "--groups", group, operator)


def remove(groups: list[str], user_too: bool, report: Report) -> None:
    """Remove the `groups`. If `user_too` is true, also remove the service's user and its group."""
    for group in groups:
        if _group(group) and report.change(f"remove the group {group}"):
            run("groupdel", group)
    if user_too and _user(USER) and report.change(f"remove the user {USER}"):
        run("userdel", USER)
        if _group(USER):
            run("groupdel", USER)


def _user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _group(name: str) -> bool:
    return any(entry.gr_name == name for entry in grp.getgrall())


def _is_member(user: str, group: str) -> bool:
    return any(user in entry.gr_mem for entry in grp.getgrall() if entry.gr_name == group)
