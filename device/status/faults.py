"""What went wrong and did not end the run, counted."""

from __future__ import annotations

import threading
from collections import Counter


class Faults:
    """How often each fault came; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def count(self, name: str, times: int = 1) -> None:
        """`name` came to pass `times` more often."""
        with self._lock:
            self._counts[name] += times

    def __getitem__(self, name: str) -> int:
        with self._lock:
            return self._counts[name]

    def counts(self) -> dict[str, int]:
        """All so far, those that never came left out."""
        with self._lock:
            return dict(self._counts)
