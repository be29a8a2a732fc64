"""Where the box keeps things: what systemd gives the service, else the owner's own folders."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "lefthand"
SERVICE_STATE = Path("/var/lib") / NAME
SERVICE_RUN = Path("/run") / NAME


def state_dir() -> Path:
    """The folder that outlives a restart: bundles' slots and what calibration found.

    systemd's $STATE_DIRECTORY, the service's own folder where there is one, else $XDG_STATE_HOME/lefthand.
    It need not exist.
    """
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return _given("STATE_DIRECTORY", SERVICE_STATE, home)


def run_dir() -> Path:
    """The folder that is gone after a reboot: the status of the box that runs now.

    systemd's $RUNTIME_DIRECTORY, the service's own folder where there is one, else $XDG_RUNTIME_DIR/lefthand.
    It need not exist.
    """
    return _given("RUNTIME_DIRECTORY", SERVICE_RUN, Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp"))  # noqa: S108


def _given(variable: str, service: Path, home: Path) -> Path:
    # systemd lists several with colons; ours is the first
    given = os.environ.get(variable, "").split(":")[0]
    if given:
        return Path(given)
    return service if service.is_dir() else home / NAME
