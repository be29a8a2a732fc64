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
    """Send the log of `lefthand run` to the journal if systemd reads stderr, otherwise to stderr."""
    send = _journal() if _stderr_is_the_journal() else None
    if send is None:
        log_to_stderr()
    else:
        # the journal entry has fields for level and name, so the text repeats neither
        handler: logging.Handler = JournalHandler(send)
        handler.setFormatter(PrintableFormatter("%(message)s"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])


def log_to_stderr() -> None:
    """Send the log to stderr for a person to read. Each line begins with `lefthand: `."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("lefthand: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class PrintableFormatter(logging.Formatter):
    """Formats a log record as printable text: one line, and one more for each line of a traceback."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """Return the text of `record` as one line without control characters."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Return the traceback of the error `ei` as text, with no control characters except line ends."""
        return "\n".join(map(printable, super().formatException(ei).splitlines()))


class JournalHandler(logging.Handler):
    """Passes log records to `send`, which is `systemd.journal.send`."""

    def __init__(self, send: Callable[..., object]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one log record to the journal. If the journal fails, the program goes on."""
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
    """Return whether stderr is the stream that $JOURNAL_STREAM names by its device and inode numbers."""
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
