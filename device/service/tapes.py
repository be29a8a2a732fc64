"""Whether the box records, and into which recording of its library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from device.errors import UserError
from device.recording.capture import Capture
from device.recording.library import Library

MOST_BYTES = 2**50
"""A recording that the owner began ends when the disk is nearly full, and at no other size."""


class Tapes:
    """The recordings in `library`. `changed` is called when the box is to begin or end one.

    `always`: a box that was started to record into this capture. The owner can then not end it.
    """

    def __init__(self, library: Library, changed: Callable[[], None], always: Capture | None = None) -> None:
        self.library, self._changed, self._always = library, changed, always
        self.on = always is not None
        """Whether the next session is recorded."""
        self.current: str | None = None
        """The number of the recording that is being made."""

    def next(self) -> Capture | None:
        """Return the place for the recording of a new session; None if it is not recorded."""
        if not self.on:
            return None
        return (self._always or Capture(self.library.folder, MOST_BYTES)).next()

    def began(self, capture: Capture | None) -> None:
        """Note that a session records into `capture`, or into nothing."""
        self.current = None if capture is None else capture.folder.name
        if self.current is not None and self._always is None:
            self.library.note_the_time(self.current)

    def record(self, on: bool) -> None:
        """Begin or end a recording. Raises UserError if the box was started with --record."""
        if self._always is not None:
            raise UserError("The box was started with --record and records each session: start it without.")
        self.on = on
        self._changed()

    def shown(self) -> dict[str, Any]:
        """See `Library.shown`."""
        return self.library.shown(self.current)
