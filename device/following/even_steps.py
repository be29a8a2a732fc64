"""Keeps the steps of the grid even while the player keeps an even tempo.

The onsets of such a player are some milliseconds early or late. The clock moves its grid a little at each onset, and a
left hand that followed each move at once would be uneven too.
"""

from __future__ import annotations

import math

CORRECTED, UNEVEN_S = 0.3, 0.04
"""Share of the distance between a step and an even step that is corrected, and the largest such distance, in seconds. A
greater one is corrected at once, because the player or the grid has moved."""


class EvenSteps:
    """Computes the time of each step from the time of the step before and from the time that the grid predicts."""

    def __init__(self) -> None:
        self._last_s = -math.inf

    def at(self, predicted_s: float, gap_s: float) -> float:
        """Return the time in seconds of a step that the grid predicts for `predicted_s`.

        `gap_s` is the time from the step before at the present tempo.
        """
        off_s = predicted_s - self._last_s - gap_s
        return predicted_s - (1 - CORRECTED) * off_s if abs(off_s) < UNEVEN_S else predicted_s

    def give(self, even_s: float) -> None:
        """Note that a step was given whose time, before any limit, was `even_s` seconds."""
        self._last_s = even_s
