"""Sends the log to the journal, with extra fields, if systemd reads stderr. Otherwise writes it to stderr."""

from __future__ import annotations

import logging
import os
import sys
import syslog
from collections.abc import Callable
from typing import Any

from device.printable import printable

LOGGER = "lefthand"
FIELDS = "journal"
"""`log.info(..., extra={FIELDS: {"LEFTHAND_STATE": "waiting"}})` adds these fields to the journal entry."""
_PRIORITIES = (
    (logging.ERROR, syslog.LOG_ERR),
    (logging.WARNING, syslog.LOG_WARNING),
    (logging.INFO, syslog.LOG_INFO),
)


def log_to_journal_or_stderr() -> None:
    """Set up the log of `lefthand run`."""
    send = _journal() if _stderr_is_the_journal() else None
    if send is None:
        log_to_stderr()
    else:
        # the journal entry has fields for level and name, so the text repeats neither
        handler: logging.Handler = JournalHandler(send)
        handler.setFormatter(PrintableFormatter("%(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])


def log_to_stderr() -> None:
    """Set up the log of a program whose stderr a person reads."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("lefthand: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class PrintableFormatter(logging.Formatter):
    """Formats a record as printable text: one line, and one more for each line of a traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the line of `record`."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return the lines of a traceback."""
        return "\n".join(map(printable, super().formatException(ei).splitlines()))


class JournalHandler(logging.Handler):
    """Passes log records to `send`, which is `systemd.journal.send`."""

    def __init__(self, send: Callable[..., object]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record to the journal. An error of the journal does not end the program."""
        priority = next((p for level, p in _PRIORITIES if record.levelno >= level), syslog.LOG_DEBUG)
        fields: dict[str, object] = getattr(record, FIELDS, {})
        try:
            self._send(
                self.format(record),
                PRIORITY=str(priority),
                SYSLOG_IDENTIFIER=LOGGER,
                LOGGER=record.name,
                **{name: str(value) for name, value in fields.items()},
            )
        except Exception:
            self.handleError(record)


def _stderr_is_the_journal() -> bool:
    """Whether stderr is the stream that $JOURNAL_STREAM names by its device and inode numbers."""
    try:
        there = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{there.st_dev}:{there.st_ino}"


def _journal() -> Any | None:
    try:
        from systemd import journal
    except ImportError:
        return None
    return journal.send
