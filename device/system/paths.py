"""Finds the folders of the box: those that systemd gives the service, otherwise those of the user."""

from __future__ import annotations

import os
import stat
from pathlib import Path

NAME = "lefthand"
SERVICE_STATE = Path("/var/lib") / NAME
SERVICE_RUN = Path("/run") / NAME
PAGE = "lefthand-page"
"""Account of the page's service."""
PAGE_STATE = Path("/var/lib") / PAGE
PAGE_RUN = Path("/run") / PAGE
ROLLBACK_STEPS = Path("/run/lefthand-rollback/steps")
"""File with the steps of the last rollback that the page asked for, one line of JSON each. Only root can write it."""

SOUNDFONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"), Path("/usr/share/soundfonts"))
SOUNDFONTS = ("FluidR3_GM.sf2", "TimGM6mb.sf2", "default-GM.sf3", "default-GM.sf2")
"""Soundfonts of Debian's packages (fluid-soundfont-gm, timgm6mb-soundfont and others). The best piano is first."""


def soundfonts(*suffixes: str) -> list[Path]:
    """Return the installed soundfonts with one of the suffixes (".sf2", ".sf3"), the best first, unknown ones last."""
    ranks = {name: rank for rank, name in enumerate(SOUNDFONTS)}
    found = [path for folder in SOUNDFONT_FOLDERS if folder.is_dir() for path in folder.iterdir()]
    fitting = [path for path in found if path.suffix in suffixes and path.is_file()]
    return sorted(fitting, key=lambda path: (ranks.get(path.name, len(ranks)), path.name))


def state_dir() -> Path:
    """Return the folder that survives a reboot. It holds the slots of bundles and the calibration.

    It is systemd's $STATE_DIRECTORY, or the service's folder if that exists, otherwise $XDG_STATE_HOME/lefthand. The
    folder may not exist yet.
    """
    if given := _first("STATE_DIRECTORY"):
        return given
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return SERVICE_STATE if SERVICE_STATE.is_dir() else home / NAME


def page_state_dir() -> Path:
    """Return the folder of the page's code: that of the page's service if it exists, otherwise `state_dir`."""
    return PAGE_STATE if "STATE_DIRECTORY" not in os.environ and PAGE_STATE.is_dir() else state_dir()


def run_dir() -> Path | None:
    """Return the folder of the running box's status. It may not exist yet.

    It is systemd's $RUNTIME_DIRECTORY, or the service's folder if that exists. Otherwise it is in a folder that belongs
    to this account: $XDG_RUNTIME_DIR/lefthand, or `run` in the state folder at home. None if there is no such folder. A
    folder that other accounts share, such as /tmp, is never used, because they could put links there.
    """
    if given := _first("RUNTIME_DIRECTORY"):
        return given
    if SERVICE_RUN.is_dir():
        return SERVICE_RUN
    session = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
    if _is_own(session):
        return session / NAME
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home / ".local" / "state" / NAME / "run" if _is_own(home) else None


def _first(variable: str) -> Path | None:
    # systemd separates several folders with colons, and the first is the one for lefthand
    given = os.environ.get(variable, "").split(":")[0]
    return Path(given) if given else None


def _is_own(folder: Path) -> bool:
    """Return whether `folder` exists, belongs to this account, and no other account may write into it."""
    try:
        found = folder.stat()
    except OSError:
        return False
    shared = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & shared
