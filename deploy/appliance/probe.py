"""Collects facts about the machine before the plan is made. Needs no root and changes nothing."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import struct
import sys
from pathlib import Path

from .debian import missing
from .machine import sha256
from .places import SOFTWARE, WHEELS, current

STAGED = Path.home() / ".cache" / "lefthand" / "wheels"
"""Folder into which the workstation sends wheels. Wheels that are already here are not sent again."""


def probe(packages: list[str]) -> str:
    """Return facts as JSON: the machine, those of `packages` that are missing, and the installed parts of the box."""
    libc = platform.libc_ver()[1].split(".")
    found = {
        "arch": platform.machine(),
        "bits": struct.calcsize("P") * 8,
        "python": list(sys.version_info[:2]),
        "glibc": [int(part) for part in libc[:2]] if len(libc) >= 2 else [2, 17],
        "system": _system(),
        "missing": missing(packages) if shutil.which("dpkg-query") else packages,
        "apt": shutil.which("apt-get") is not None,
        "systemd": Path("/run/systemd/system").is_dir(),
        "distributions": {
            str(one.metadata["Name"]): one.version for one in importlib.metadata.distributions() if one.metadata["Name"]
        },
        "user": os.environ.get("USER") or os.environ.get("LOGNAME") or "",
        "root": os.geteuid() == 0,
        "current": current(),
        "wheels": {path.name: sha256(path) for folder in (WHEELS, STAGED) for path in sorted(folder.glob("*.whl"))},
        "staged": str(STAGED),
        "free": shutil.disk_usage(SOFTWARE if SOFTWARE.is_dir() else "/").free,
    }
    return json.dumps(found)


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
