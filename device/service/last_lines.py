"""Keeps the last lines of the log in memory for the owner's page, because the box may not read the journal."""

from __future__ import annotations

import json
import logging
from collections import deque
from types import TracebackType

MOST_LINES = 60
"""Number of lines that are kept."""
MOST_CARRIED = 50_000
"""Most characters of the lines that are given to a new process. Linux takes 128 KiB for one environment variable."""


class LastLines(logging.Handler):
    """Keeps the last MOST_LINES lines of the log whose level is INFO or higher.

    It is a context manager and keeps lines only while it is active. `before` is what `carried` returned in the process
    that this one has replaced.
    """

    def __init__(self, before: str = "[]") -> None:
        super().__init__(logging.INFO)
        self._lines: deque[str] = deque(json.loads(before), maxlen=MOST_LINES)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))

    def __enter__(self) -> LastLines:
        logging.getLogger("lefthand").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("lefthand").removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Format one log record and keep the text. The oldest is dropped if there are too many."""
        self._lines.append(self.format(record))

    def shown(self) -> list[str]:
        """Return the kept lines, the oldest first. Any thread may call this."""
        return list(self._lines)

    def carried(self) -> str:
        """Return the kept lines as JSON for the process that replaces this one. If they are long, the oldest go."""
        lines = self.shown()
        while len(text := json.dumps(lines)) > MOST_CARRIED:
            del lines[0]
        return text
