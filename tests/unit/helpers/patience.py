"""Waits for what another thread does, with a limit that a busy machine does not reach."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 60.0
"""Limit in seconds for what a quiet machine does in milliseconds."""


def patiently(holds: Callable[[], object], what: str = "what this line waits for") -> None:
    """Wait until `holds` returns true. Raises AssertionError if it does not in time."""
    until_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until_s, f"{PATIENCE_S:g} s are over, and it does not hold: {what}"
        time.sleep(0.001)
