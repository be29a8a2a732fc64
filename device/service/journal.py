"""Where the log goes: the journal with fields of ours where systemd reads our stderr, else stderr."""

from __future__ import annotations

import logging
import os
import sys
import syslog
from collections.abc import Callable
from typing import Any

LOGGER = "lefthand"
FIELDS = "journal"
"""`log.info(..., extra={FIELDS: {"LEFTHAND_STATE": "waiting"}})` gives the line these fields."""
_PRIORITIES = (
    (logging.ERROR, syslog.LOG_ERR),
    (logging.WARNING, syslog.LOG_WARNING),
    (logging.INFO, syslog.LOG_INFO),
)


def log_to_journal_or_stderr() -> None:
    """Set up the log of `lefthand run`."""
    send = _journal() if _stderr_is_the_journal() else None
    if send is None:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="lefthand: %(message)s")
    else:
        # level and name are fields of the entry
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[JournalHandler(send)])


class JournalHandler(logging.Handler):
    """Hands records to `send`, which is `systemd.journal.send`."""

    def __init__(self, send: Callable[..., object]) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Send one line; a journal that is gone is no failure of ours."""
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
    """systemd gives device and inode of the stream that it has connected."""
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
