"""Asks systemd to go back to the bundle of models that played before. The page itself has no right to do this.

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
"""Names of a step that ends a rollback."""


class Rollback:
    """Asks for a rollback, the return to the models that played before, and reads how far it is.

    systemd watches `folder`. `steps` is the file into which the rollback writes its steps.
    """

    def __init__(self, folder: Path = PAGE_RUN, steps: Path = ROLLBACK_STEPS) -> None:
        self._folder, self._steps = folder, steps
        self._before: tuple[int, int] | None = None
        """Identifies the file of the steps at the time of the last request. It has the steps of an earlier request."""

    @property
    def possible(self) -> bool:
        """Return whether a rollback can be asked for: the folder that systemd watches exists and can be written."""
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
        """Return the last step of the rollback that was asked for, as {"text": ..., "over": ...}.

        "text" is a sentence, empty if there is no step yet. "over" is true if the rollback has ended, well or not.
        """
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
    """Answers requests for a rollback, which is the return to the models that played before.

    GET says whether a rollback is possible and what its last step was. POST begins one.
    """

    def initialize(self, door: Door, link: BoxLink, rollback: Rollback) -> None:  # type: ignore[override]
        """Keep the parts of the server that the methods need, with the one `rollback` of all requests."""
        super().initialize(door, link)
        self._rollback = rollback

    def get(self) -> None:
        """Send {"ok": whether a rollback is possible, "text": the last step, "over": whether it has ended}."""
        self.finish({"ok": self._rollback.possible, **self._rollback.said()})

    def post(self) -> None:
        """Ask for a rollback and send {"ok": true}, or {"error": a sentence} if it is not possible.

        Raises HTTPError 400 if the body is not {"rollback": true}.
        """
        if self.body().get("rollback") is not True:
            raise tornado.web.HTTPError(400, reason="This cannot be asked")
        try:
            self._rollback.ask()
        except UserError as error:
            self.finish({"error": str(error)})
            return
        self.finish({"ok": True})
