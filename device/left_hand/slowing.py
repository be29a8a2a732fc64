"""Tells whether the player slows down, as before the end of a piece."""

from __future__ import annotations

from device.clock.step import Step

MEMORY_STEPS = 64.0
"""Steps, four bars of 4/4, after which the length of a step counts 1/e in the usual length."""
SLOWED = 1.15
"""The player slows down if a step is longer than the usual one by this factor."""


class Slowing:
    """Compares the length of each step with those of the bars before."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the tempo."""
        self._usual_s: float | None = None
        self.now = False
        """Whether the player slows down at the latest step."""

    def at(self, step: Step) -> None:
        """Count a step. Call it for every step, in order."""
        usual_s = step.length_s if self._usual_s is None else self._usual_s
        self.now = step.length_s > SLOWED * usual_s
        self._usual_s = usual_s + (step.length_s - usual_s) / MEMORY_STEPS
