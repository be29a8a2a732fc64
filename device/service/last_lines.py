"""Keeps the last lines of the log for the owner's page. The box has no right to read the journal."""

from __future__ import annotations

import logging
from collections import deque
from types import TracebackType

MOST_LINES = 60


class LastLines(logging.Handler):
    """Context manager: keeps the last MOST_LINES lines that the program logs, from information on."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))

    def __enter__(self) -> LastLines:
        logging.getLogger("lefthand").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("lefthand").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self._lines.append(self.format(record))

    def shown(self) -> list[str]:
        """Return the lines, oldest first. Any thread may call this."""
        return list(self._lines)
