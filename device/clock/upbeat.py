"""Finds where the first bar begins if the music begins with an upbeat (notes before the first bar).

All lengths are in felt beats, the beats to which people tap.
"""

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
    """Return the upbeat, in beats, that a number of counts suggests. `beats_per_bar` is the number of beats in a bar.

    Counts and upbeat together fill whole bars: seven counts in 4/4 suggest an upbeat of one beat. The result is 0 for
    whole bars of counts, for no more counts than a bar has beats, and if more than half a bar would be missing.
    """
    rest = -counts % beats_per_bar
    return float(rest) if counts > beats_per_bar and 2 * rest <= beats_per_bar else 0.0
