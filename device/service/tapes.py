"""Decides whether the box records its sessions, and into which recording of its library."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from device.errors import UserError
from device.recording.capture import Capture
from device.recording.library import Library

MOST_BYTES = 2**50
"""Size limit in bytes of a recording that the owner began. It is never reached: the recording ends when the disk is
nearly full."""

log = logging.getLogger("lefthand")


class Tapes:
    """Keeps whether the box records. `library` holds the recordings. `changed` is called when `on` was set.

    `always` is given if the box was started to record each session into it. The owner can then not end the recording.
    """

    def __init__(self, library: Library, changed: Callable[[], None], always: Capture | None = None) -> None:
        self.library, self._changed, self._always = library, changed, always
        self.on = always is not None
        """Whether the next session is recorded."""
        self.current: str | None = None
        """The number of the recording that is being made."""

    def next(self) -> Capture | None:
        """Return a new capture, the place for the recording of the next session. None if it is not recorded.

        If this account may not use the folder of the recordings, one sentence goes to the log and nothing is recorded.
        Raises UserError instead if the box was started to record each session.
        """
        if not self.on:
            return None
        capture = self._always or Capture(self.library.folder, MOST_BYTES)
        try:
            return capture.next()
        except OSError as error:
            refused = UserError(f"{capture.folder} cannot be used ({error.strerror}): nothing is recorded.")
        if self._always is not None:
            raise refused
        log.error("%s", refused)
        self.on = False
        return None

    def began(self, capture: Capture | None) -> None:
        """Note that a session has begun to record into `capture`. None means that nothing is recorded any more."""
        self.current = None if capture is None else capture.folder.name
        if self.current is not None and self._always is None:
            self.library.note_the_time(self.current)

    def ended_early(self) -> None:
        """Note that the recording has ended although the session goes on, because the disk is full or has failed."""
        self.current = None
        self.on = self._always is not None

    def record(self, on: bool) -> None:
        """Begin a recording if `on` is true, else end it. Raises UserError if the box was started with --record."""
        if self._always is not None:
            raise UserError("The box was started with --record and records each session: start it without.")
        self.on = on
        self._changed()

    def shown(self) -> dict[str, Any]:
        """Return the list of recordings, the present one and the free room, as JSON values. See `Library.shown`."""
        return self.library.shown(self.current)
