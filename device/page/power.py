"""Shuts down or restarts the box, by writing a file for which systemd waits. The page has no right to do either.

The units lefthand-poweroff.path and lefthand-reboot.path watch the folder. Only the account of the page may write
there.
"""

from __future__ import annotations

import os
from pathlib import Path

from device.errors import UserError
from device.system.paths import PAGE_RUN

TARGETS = {"off": "poweroff", "restart": "reboot"}
"""Request of a browser -> the name of the file for which systemd waits."""


def can_ask(folder: Path = PAGE_RUN) -> bool:
    """Return whether this page can shut the box down: `folder`, which systemd watches, exists and can be written."""
    return folder.is_dir() and os.access(folder, os.W_OK)


def ask_for(what: str, folder: Path = PAGE_RUN) -> None:
    """Ask systemd to do `what`, which is "off" or "restart". Raises UserError if the file cannot be written."""
    try:
        (folder / TARGETS[what]).write_bytes(b"")
    except OSError as error:
        raise UserError(
            f"This machine cannot be shut down from the page ({error.strerror}): use its own menu."
        ) from None
