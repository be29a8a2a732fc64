"""Where the box keeps things: what systemd gives the service, else the owner's own folders."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "lefthand"
SERVICE_STATE = Path("/var/lib") / NAME
SERVICE_RUN = Path("/run") / NAME

SOUNDFONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"), Path("/usr/share/soundfonts"))
SOUNDFONTS = ("FluidR3_GM.sf2", "TimGM6mb.sf2", "default-GM.sf3", "default-GM.sf2")
"""Soundfonts of Debian's packages (fluid-soundfont-gm, timgm6mb-soundfont and others), the best piano first."""


def soundfonts(*suffixes: str) -> list[Path]:
    """The installed soundfonts whose names end so (".sf2", ".sf3"), the best first; unknown ones last, by name."""
    ranks = {name: rank for rank, name in enumerate(SOUNDFONTS)}
    found = [path for folder in SOUNDFONT_FOLDERS if folder.is_dir() for path in folder.iterdir()]
    fitting = [path for path in found if path.suffix in suffixes and path.is_file()]
    return sorted(fitting, key=lambda path: (ranks.get(path.name, len(ranks)), path.name))


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
