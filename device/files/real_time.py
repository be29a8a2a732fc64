"""Holds a run over a file back to the speed of its recording: `lefthand play --real-time`."""

from __future__ import annotations

import time
from collections.abc import Callable

BEHIND_S = 0.25
"""Seconds. A run that was later than this is reported: a live box would have played audibly late."""


class RealTime:
    """Waits until each hop is due. The first hop starts the clock, so the time to load the models does not count."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        """`now` returns monotonic seconds. `sleep` waits for the given seconds, which are always more than 0."""
        self._now, self._sleep = now, sleep
        self._zero_s: float | None = None
        self.behind_s = 0.0
        """Most seconds by which a hop was started after it was due. 0 if the machine kept up."""

    def wait(self, at_s: float) -> None:
        """Return when `at_s` seconds of the recording have passed.

        If they have passed already, return at once and keep the delay in `behind_s` if it is the longest so far.
        """
        now_s = self._now()
        if self._zero_s is None:
            self._zero_s = now_s
        early_s = self._zero_s + at_s - now_s
        if early_s > 0:
            self._sleep(early_s)
        else:
            self.behind_s = max(self.behind_s, -early_s)

    @property
    def warnings(self) -> list[str]:
        """Return a list with one sentence if the machine was more than BEHIND_S late, else an empty list."""
        if self.behind_s <= BEHIND_S:
            return []
        return [
            f"This machine was up to {self.behind_s:.1f} s behind the recording: end other programs, or leave "
            f"--real-time out."
        ]


def at_once(at_s: float) -> None:
    """Return without waiting, so that the run goes as fast as the machine can."""
