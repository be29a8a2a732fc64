"""Asks systemd to play the bundle before the present one again. The page itself has no right to do this.

The page writes a file for which systemd waits.
lefthand-rollback.path watches the folder of the page. lefthand-rollback.service then runs `lefthand-slot rollback`, the
same command as `make rollback`, and writes its steps into a folder that only root can write.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import tornado.web

from device.errors import UserError
from device.page.access import Door
from device.page.box_link import BoxLink
from device.page.checked import Checked
from device.printable import printable
from device.system.paths import PAGE_RUN, ROLLBACK_STEPS
from device.system.untrusted_files import read_small

REQUEST = "rollback"
"""Name of the file for which systemd waits."""
LAST = ("done", "refused")
"""Names that the last step of a rollback can have."""


class Rollback:
    """Asks for a rollback and reads its steps. systemd watches `folder`, and `steps` is the file of the steps."""

    def __init__(self, folder: Path = PAGE_RUN, steps: Path = ROLLBACK_STEPS) -> None:
        self._folder, self._steps = folder, steps
        self._before: tuple[int, int] | None = None
        """Identifies the file of the steps at the time of the last request. It has the steps of an earlier request."""

    @property
    def possible(self) -> bool:
        """Return whether a rollback is possible: the page runs as a service, and systemd watches its folder."""
        return self._folder.is_dir() and os.access(self._folder, os.W_OK)

    def ask(self) -> None:
        """Ask systemd for a rollback, by writing the file for which systemd waits.

        Raises UserError if the file cannot be written, for example because the page does not run as a service.
        """
        self._before = self._state()
        try:
            (self._folder / REQUEST).write_bytes(b"")
        except OSError as error:
            raise UserError(
                f"The models cannot be changed from the page ({error.strerror}): run `make rollback` on a workstation."
            ) from None

    def said(self) -> dict[str, Any]:
        """Return the last step as {"text": ..., "over": ...}. The text is empty if nothing has happened yet."""
        if self._before is None or self._state() == self._before:
            return {"text": "", "over": False}
        text, over = "", False
        try:
            for line in read_small(self._steps).decode("utf-8", "replace").splitlines():
                step = json.loads(line)
                text, over = printable(str(step["said"])), step["step"] in LAST
        except (OSError, ValueError, KeyError, TypeError):
            # the last line may be half written
            return {"text": text, "over": False}
        return {"text": text, "over": over}

    def _state(self) -> tuple[int, int]:
        try:
            found = self._steps.lstat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_mtime_ns


class RollbackOrder(Checked):
    """Answers GET with whether a rollback is possible and its last step. POST asks for a rollback."""

    def initialize(self, door: Door, link: BoxLink, rollback: Rollback) -> None:  # type: ignore[override]
        """Take the parts of the server."""
        super().initialize(door, link)
        self._rollback = rollback

    def get(self) -> None:
        """Send whether a rollback is possible, as "ok", and the last step."""
        self.finish({"ok": self._rollback.possible, **self._rollback.said()})

    def post(self) -> None:
        """Ask for a rollback. The body must be {"rollback": true}."""
        if self.body().get("rollback") is not True:
            raise tornado.web.HTTPError(400, reason="This cannot be asked")
        try:
            self._rollback.ask()
        except UserError as error:
            self.finish({"error": str(error)})
            return
        self.finish({"ok": True})
