"""Lets the bundle before the present one play again, by a file for which systemd waits. The page has no right to do it.

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
"""The names of the last step."""


class Rollback:
    """Asks for the way back and reads its steps. `folder` is watched by systemd, `steps` is the file of the steps."""

    def __init__(self, folder: Path = PAGE_RUN, steps: Path = ROLLBACK_STEPS) -> None:
        self._folder, self._steps = folder, steps
        self._before: tuple[int, int] | None = None
        """The file of the steps at the time of the last request. Its steps are those of an earlier request."""

    @property
    def possible(self) -> bool:
        """Whether a service serves the page here, for which systemd watches the folder."""
        return self._folder.is_dir() and os.access(self._folder, os.W_OK)

    def ask(self) -> None:
        """Ask for it. Raises UserError if the page does not run as a service."""
        self._before = self._state()
        try:
            (self._folder / REQUEST).write_bytes(b"")
        except OSError as error:
            raise UserError(
                f"The models cannot be changed from the page ({error.strerror}): run `make rollback` on a workstation."
            ) from None

    def said(self) -> dict[str, Any]:
        """Return the last step as {"text": ..., "over": ...}. An empty text: nothing has happened yet."""
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
    """GET says whether it is possible and what has happened, POST asks for it."""

    def initialize(self, door: Door, link: BoxLink, rollback: Rollback) -> None:  # type: ignore[override]
        """Take the parts of the server."""
        super().initialize(door, link)
        self._rollback = rollback

    def get(self) -> None:
        """Send {"ok": whether it is possible} and the last step."""
        self.finish({"ok": self._rollback.possible, **self._rollback.said()})

    def post(self) -> None:
        """Ask for it. The body is {"rollback": true}."""
        if self.body().get("rollback") is not True:
            raise tornado.web.HTTPError(400, reason="This cannot be asked")
        try:
            self._rollback.ask()
        except UserError as error:
            self.finish({"error": str(error)})
            return
        self.finish({"ok": True})
