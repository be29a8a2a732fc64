"""Names and counts the faults: errors that did not end the run."""

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
    "recordings ended early",
]
"""Every fault that is counted, as `lefthand status` shows it. `not_a_number` counts the hops in which the transcriber
returned a value that is not finite."""
FAULTS: tuple[Fault, ...] = get_args(Fault)


class Faults:
    """Counts how often each fault happened. Any thread may add to the counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Fault] = Counter()

    def count(self, name: Fault, times: int = 1) -> None:
        """Add `times` to the count of the fault `name`."""
        with self._lock:
            self._counts[name] += times

    def restore(self, counts: Mapping[str, int]) -> None:
        """Add `counts` from before a restart. Unknown names are ignored."""
        for name in FAULTS:
            if counts.get(name):
                self.count(name, counts[name])

    def __getitem__(self, name: Fault) -> int:
        with self._lock:
            return self._counts[name]

    def counts(self) -> dict[str, int]:
        """Return the counts by name, without faults that never happened."""
        with self._lock:
            return dict(self._counts.items())
