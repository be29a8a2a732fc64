"""The line through the pulses of a MIDI clock: when the last one was due, and how long it is to the next."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from device.fixed import FASTEST_BPM

PULSES_PER_QUARTER = 24
FASTEST_PULSE_S = 60.0 / FASTEST_BPM / PULSES_PER_QUARTER
WINDOW = 12
"""The line goes through so many pulses: half a quarter, as cables jitter by a millisecond."""
LEAST = 3
LATE = 0.5
"""A pulse that is later than the line says, by so much of the time between two, is not on it yet: what comes within
as much after it was held up with it, by a machine or a cable, and what comes at leisure begins a new line."""


class PulseLine:
    """The times of pulses (seconds), least squares, without those that were held up; each of them counts."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._count = 0
        self._on: deque[tuple[int, float]] = deque(maxlen=WINDOW)
        self._late: tuple[int, float] | None = None
        self.last_s = -math.inf
        """When the last pulse came, be it on the line or not."""

    @property
    def certainty(self) -> float:
        """Of a full line, how much there is."""
        return len(self._on) / WINDOW

    @property
    def known(self) -> bool:
        """Whether there is one."""
        return len(self._on) >= LEAST

    def tick(self, at_s: float) -> bool:
        """Take in the pulse that came at `at_s`; whether with it the line begins anew."""
        self._count += 1
        self.last_s = at_s
        if self.known:
            due_s, pulse_s = self.fit()
            if at_s > due_s + LATE * pulse_s:
                leader, self._late = self._late, (self._count, at_s)
                if leader is None or at_s - leader[1] < LATE * pulse_s:
                    return False
                self._on.clear()
                self._on += [leader, self._late]
                self._late = None
                return True
        self._late = None
        self._on.append((self._count, at_s))
        return False

    def fit(self) -> tuple[float, float]:
        """When the last pulse was due, and the time from one to the next; for a line that is `known`."""
        counts, times = np.asarray(self._on).T
        slope, due_s = np.polyfit(counts - self._count, times, 1)
        return float(due_s), max(float(slope), FASTEST_PULSE_S)
