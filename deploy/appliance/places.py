"""Names the paths, accounts and systemd units of the box on the Pi."""

from __future__ import annotations

from pathlib import Path

SOFTWARE = Path("/opt/lefthand")
CURRENT = SOFTWARE / "current"
"""Link to the environment (one version's folder in `SOFTWARE`) from which the service runs."""
TRIAL = SOFTWARE / "trial"
"""File that exists from a switch of `CURRENT` until the service has reported READY.

It holds the name of the environment from which the service ran before the switch. It is empty if there was none.
"""
WHEELS = SOFTWARE / "wheels"
COMPLETE, PLAN, FILES = "complete", "provision/plan.json", "provision/files"
"""Paths in an environment: the mark that it is complete, its plan, and the files that belong to it."""
COMMAND = Path("/usr/local/bin/lefthand")
COMMAND_TARGET = f"{CURRENT}/bin/lefthand"
STATE = Path("/var/lib/lefthand")
SETTINGS = Path("/etc/lefthand")
"""Folder of the files that belong to the owner of the box. /etc/lefthand.toml also belongs to the owner."""
USER = "lefthand"
PAGE_USER, PAGE_STATE = "lefthand-page", Path("/var/lib/lefthand-page")
"""Account of the page's service, and the folder of the page's code. Only this account can read the folder."""
UNIT = "lefthand.service"


def current() -> str | None:
    """Return the name of the environment that `CURRENT` points to, or None if there is no such link."""
    return CURRENT.readlink().name if CURRENT.is_symlink() else None


def complete(name: str) -> bool:
    """Return True if the environment `name` was built to its end."""
    return (SOFTWARE / name / COMPLETE).exists()
