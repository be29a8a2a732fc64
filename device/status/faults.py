"""Faults: what went wrong and did not end the run, counted. The names that there are stand here."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

Fault: TypeAlias = Literal[
    "audio input lost",
    "MIDI input lost",
    "MIDI output lost",
    "MIDI control lost",
    "blocks that are no numbers",
    "clipped blocks",
    "not_a_number",
    "messages decided late",
    "late messages",
    "stalls",
    "synth messages lost",
]
"""Every fault that is counted, as `lefthand status` shows it. `not_a_number` counts the hops in which the transcriber
gave a value that is no finite number."""
FAULTS: tuple[Fault, ...] = get_args(Fault)


class Faults:
    """How often each fault came; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Fault] = Counter()

    def count(self, name: Fault, times: int = 1) -> None:
        """The fault `name` happened `times` more often."""
        with self._lock:
            self._counts[name] += times

    def restore(self, counts: Mapping[str, int]) -> None:
        """Add `counts` from before a restart; names that are no fault are left out."""
        for name in FAULTS:
            if counts.get(name):
                self.count(name, counts[name])

    def __getitem__(self, name: Fault) -> int:
        with self._lock:
            return self._counts[name]

    def counts(self) -> dict[str, int]:
        """All so far, those that never came left out."""
        with self._lock:
            return dict(self._counts.items())
