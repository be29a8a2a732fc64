"""Gives the threads of a process the names that they have in Python, so that /proc shows them: see tests/cost.py."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

_run = threading.Thread.run


def _named_run(thread: threading.Thread) -> None:
    with contextlib.suppress(OSError):
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text(f"py {thread.name}"[:15])
    _run(thread)


threading.Thread.run = _named_run  # type: ignore[method-assign]
