"""Keeps the events of a run on the disk until its end, so that a long run needs no more memory than a short one."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

from device.events import Event

NAME = ".told"


class Spool:
    """A temporary file of events in `folder`. One thread puts events in; they are taken out after the last `put`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file = self._path.open("wb")

    def put(self, events: Sequence[Event]) -> None:
        """Append events. Raises OSError if the disk is full or fails."""
        if self._file.closed:
            return
        pickle.dump(events, self._file, pickle.HIGHEST_PROTOCOL)

    def taken(self) -> Iterator[Event]:
        """Yield all events in order, then delete the file. Events put in after this call are dropped."""
        if self._file.closed:
            return
        # on a full disk the last events may be incomplete; they are left out
        with contextlib.suppress(OSError):
            self._file.close()
        with self._path.open("rb") as file, contextlib.suppress(EOFError, pickle.UnpicklingError):
            while True:
                yield from pickle.load(file)  # noqa: S301 - this process wrote the file
        self._path.unlink()
