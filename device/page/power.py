"""Shuts down or restarts the box, by a file for which systemd waits. The page itself has no right to do either.

lefthand-poweroff.path and lefthand-reboot.path watch the folder. Only the account of the page may write there.
"""

from __future__ import annotations

import os
from pathlib import Path

from device.errors import UserError
from device.system.paths import PAGE_RUN

TARGETS = {"off": "poweroff", "restart": "reboot"}
"""What a browser may ask for, and the name of the file."""


def can_ask(folder: Path = PAGE_RUN) -> bool:
    """Return whether a service serves the page here, for which systemd watches the folder."""
    return folder.is_dir() and os.access(folder, os.W_OK)


def ask_for(what: str, folder: Path = PAGE_RUN) -> None:
    """Ask systemd to do `what`, a key of TARGETS. Raises UserError if the page does not run as a service."""
    try:
        (folder / TARGETS[what]).write_bytes(b"")
    except OSError as error:
        raise UserError(
            f"This machine cannot be shut down from the page ({error.strerror}): use its own menu."
        ) from None
