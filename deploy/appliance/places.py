"""Paths and names on the Pi."""

from __future__ import annotations

from pathlib import Path

SOFTWARE = Path("/opt/lefthand")
CURRENT = SOFTWARE / "current"
"""Link to the environment that runs."""
TRIAL = SOFTWARE / "trial"
"""Exists until the service of `CURRENT` has reported READY. Holds the name of the environment before, or nothing."""
WHEELS = SOFTWARE / "wheels"
COMPLETE, PLAN, FILES = "complete", "provision/plan.json", "provision/files"
"""Paths in an environment: the mark that it is complete, its plan, and the files that belong to it."""
COMMAND = Path("/usr/local/bin/lefthand")
COMMAND_TARGET = f"{CURRENT}/bin/lefthand"
STATE = Path("/var/lib/lefthand")
SETTINGS = Path("/etc/lefthand")
"""The owner's folder, in addition to /etc/lefthand.toml."""
USER = "lefthand"
UNIT = "lefthand.service"


def current() -> str | None:
    """Return the name of the environment that `CURRENT` points to, or None."""
    return CURRENT.readlink().name if CURRENT.is_symlink() else None


def complete(name: str) -> bool:
    """Return True if the environment of that name is complete."""
    return (SOFTWARE / name / COMPLETE).exists()
