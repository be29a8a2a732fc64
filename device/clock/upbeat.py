"""Where the first bar begins if the music begins with an upbeat: all lengths are in felt beats."""

from __future__ import annotations

import math

MOST_UPBEAT = 16.0
"""Largest upbeat in beats. An upbeat is shorter than a bar, and longer bars than four of 4/4 are not played."""


def beats_to_bar(upbeat: float) -> int:
    """Return the number of beats from the last count of a count-in to the first bar.

    The music begins at the beat after the last count, or between the two: an upbeat of one beat is the beat after the
    last count, and one of half a beat is the half beat before the bar.
    """
    return math.floor(upbeat) + 1


def upbeat_of_counts(counts: int, beats_per_bar: int) -> float:
    """Return the upbeat that a number of counts suggests: seven counts in 4/4 and an upbeat of a beat are two bars.

    0 for a number of whole bars, for fewer counts than a bar and one beat have, and where the rest is more than half a
    bar.
    """
    rest = -counts % beats_per_bar
    return float(rest) if counts > beats_per_bar and 2 * rest <= beats_per_bar else 0.0
