"""Folders of the box: those that systemd gives the service, otherwise those of the user."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "lefthand"
SERVICE_STATE = Path("/var/lib") / NAME
SERVICE_RUN = Path("/run") / NAME

SOUNDFONT_FOLDERS = (Path("/usr/share/sounds/sf2"), Path("/usr/share/sounds/sf3"), Path("/usr/share/soundfonts"))
SOUNDFONTS = ("FluidR3_GM.sf2", "TimGM6mb.sf2", "default-GM.sf3", "default-GM.sf2")
"""Soundfonts of Debian's packages (fluid-soundfont-gm, timgm6mb-soundfont and others). The best piano is first."""


def soundfonts(*suffixes: str) -> list[Path]:
    """Installed soundfonts with one of the suffixes (".sf2", ".sf3"). The best is first, unknown ones are last."""
    ranks = {name: rank for rank, name in enumerate(SOUNDFONTS)}
    found = [path for folder in SOUNDFONT_FOLDERS if folder.is_dir() for path in folder.iterdir()]
    fitting = [path for path in found if path.suffix in suffixes and path.is_file()]
    return sorted(fitting, key=lambda path: (ranks.get(path.name, len(ranks)), path.name))


def state_dir() -> Path:
    """The folder that survives a reboot. It holds the slots of bundles and the calibration.

    It is systemd's $STATE_DIRECTORY, or the service's folder if that exists, otherwise $XDG_STATE_HOME/lefthand.
    The folder may not exist yet.
    """
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return _given("STATE_DIRECTORY", SERVICE_STATE, home)


def run_dir() -> Path:
    """The folder that is empty after a reboot. It holds the status of the running box.

    It is systemd's $RUNTIME_DIRECTORY, or the service's folder if that exists, otherwise $XDG_RUNTIME_DIR/lefthand.
    The folder may not exist yet.
    """
    return _given("RUNTIME_DIRECTORY", SERVICE_RUN, Path(os.environ.get("XDG_RUNTIME_DIR") or "/tmp"))  # noqa: S108


def _given(variable: str, service: Path, home: Path) -> Path:
    # systemd separates several folders with colons, and the first is the one for lefthand
    given = os.environ.get(variable, "").split(":")[0]
    if given:
        return Path(given)
    return service if service.is_dir() else home / NAME
