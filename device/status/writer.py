"""Writes the status file in a thread of its own, which may wait for the disk: no other thread waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from device.status.schema import PERIOD_S, Status, remove_status, write_status

JOIN_S = 0.3
"""Longest wait in seconds for the thread at the end."""

log = logging.getLogger("lefthand")


class Reporter:
    """Writes the status that `status` returns into `folder` every PERIOD_S seconds, from construction until `close`.

    If the file cannot be written, or if `folder` is None, one warning is logged. `failed` is called with any other
    error, and the writing ends.
    """

    def __init__(
        self,
        folder: Path | None,
        status: Callable[[], Status],
        failed: Callable[[Exception], None],
        published: Callable[[Status], None] = lambda status: None,
    ) -> None:
        """`published` is called with each status, even if the file cannot be written."""
        self._folder, self._status, self._failed, self._published = folder, status, failed, published
        self._closing = threading.Event()
        self._told = False
        if folder is None:
            log.warning("there is no folder for the status that belongs to this account alone: playing goes on")
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the thread and remove the file, at a normal end of the box."""
        self._closing.set()
        self._thread.join(JOIN_S)
        if self._folder is not None:
            remove_status(self._folder)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._write()
                self._closing.wait(PERIOD_S)
        except Exception as error:
            self._failed(error)

    def _write(self) -> None:
        status = self._status()
        self._published(status)
        if self._folder is None:
            return
        try:
            write_status(self._folder, status)
            self._told = False
        except OSError as error:
            if not self._told:
                log.warning("the status cannot be written to %s (%s): playing goes on", self._folder, error.strerror)
            self._told = True
