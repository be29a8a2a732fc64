"""Where things lie on the Pi."""

from __future__ import annotations

from pathlib import Path

SOFTWARE = Path("/opt/lefthand")
CURRENT = SOFTWARE / "current"
"""Link to the environment that runs."""
TRIAL = SOFTWARE / "trial"
"""There while `CURRENT` has not yet reported READY; holds the name of the environment before it, or nothing."""
WHEELS = SOFTWARE / "wheels"
COMPLETE, PLAN, FILES = "complete", "provision/plan.json", "provision/files"
"""In an environment: that it is whole, what it was made by, and the files that go with it."""
COMMAND = Path("/usr/local/bin/lefthand")
COMMAND_TARGET = f"{CURRENT}/bin/lefthand"
STATE = Path("/var/lib/lefthand")
SETTINGS = Path("/etc/lefthand")
"""A folder of the owner's, beside /etc/lefthand.toml."""
USER = "lefthand"
UNIT = "lefthand.service"


def current() -> str | None:
    """The name of the environment that `CURRENT` points to, None where there is none."""
    return CURRENT.readlink().name if CURRENT.is_symlink() else None


def complete(name: str) -> bool:
    """Whether the environment of that name is whole."""
    return (SOFTWARE / name / COMPLETE).exists()
