"""What a long run told, kept on the disk until its end, so that it takes no memory however long the run."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

from device.events import Event

NAME = ".told"


class Spool:
    """In `folder`, while it is needed: put in from one thread, taken out once nothing more is put in."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._file = self._path.open("wb")

    def put(self, events: Sequence[Event]) -> None:
        """Raises OSError where the disk takes no more."""
        if self._file.closed:
            return
        pickle.dump(events, self._file, pickle.HIGHEST_PROTOCOL)

    def taken(self) -> Iterator[Event]:
        """All that was put in, in order; whatever is put in after it is not kept."""
        if self._file.closed:
            return
        # what a full disk cut off is not there
        with contextlib.suppress(OSError):
            self._file.close()
        with self._path.open("rb") as file, contextlib.suppress(EOFError, pickle.UnpicklingError):
            while True:
                yield from pickle.load(file)  # noqa: S301 - our own, of this very run
        self._path.unlink()
