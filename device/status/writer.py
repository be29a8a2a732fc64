"""The thread that writes the status file; it may wait for the disk, as nothing waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from device.status.schema import PERIOD_S, Status, remove_status, write_status

JOIN_S = 0.3

log = logging.getLogger("lefthand")


class Reporter:
    """Writes what `status` gives into `folder` from now to `close`, which removes it.

    A file that cannot be written is told of once; `failed` is called with whatever else goes wrong.
    """

    def __init__(self, folder: Path, status: Callable[[], Status], failed: Callable[[Exception], None]) -> None:
        self._folder, self._status, self._failed = folder, status, failed
        self._closing = threading.Event()
        self._told = False
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The box has ended in order."""
        self._closing.set()
        self._thread.join(JOIN_S)
        remove_status(self._folder)

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._write()
                self._closing.wait(PERIOD_S)
        except Exception as error:
            self._failed(error)

    def _write(self) -> None:
        try:
            write_status(self._folder, self._status())
            self._told = False
        except OSError as error:
            if not self._told:
                log.warning("the status cannot be written to %s (%s): playing goes on", self._folder, error.strerror)
            self._told = True
