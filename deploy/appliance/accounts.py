"""The account of the service, and the groups of the people who may flash."""

from __future__ import annotations

import grp
import pwd

from .machine import Report, run
from .places import STATE, USER


def make(groups: list[str], operator: str, report: Report) -> None:
    """Add the service's user and group. Add each of `groups` and put `operator`, who provisions, into it."""
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
    """Remove the groups, and with `user_too` the service's account."""
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
