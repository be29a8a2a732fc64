"""Finds the quarters at which full bars start, from the measures printed in a score."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from training.corpora.pieces import Meter

TOLERANCE = 1e-3
"""Quarters by which sums of engraved durations may differ from a bar's length."""


def bar_length(meters: list[Meter], quarter: float) -> float:
    """Return the length in quarters of a bar at `quarter`. `meters` must be sorted and must not be empty."""
    index = bisect_right([meter[0] for meter in meters], quarter + TOLERANCE) - 1
    _, beats, beat_type = meters[max(0, index)]
    return beats * 4.0 / beat_type


def full_bars(starts: list[float], end: float, meters: list[Meter]) -> npt.NDArray[np.float64]:
    """Return the quarters at which full bars start (the downbeats), float [bars].

    `starts` are the starts of consecutive measures in quarters; the last measure stops at `end`. A first measure that
    is shorter than its meter is a pickup and has no downbeat. A repeat sign can divide a bar into two short measures;
    the second of them has no downbeat.
    """
    downbeats: list[float] = []
    filled = 0.0
    for index, (start, stop) in enumerate(zip(starts, [*starts[1:], end], strict=True)):
        length, whole = stop - start, bar_length(meters, start)
        if length < TOLERANCE:
            continue
        if index == 0 and length < whole - TOLERANCE:
            continue
        if filled and filled + length <= whole + TOLERANCE:
            filled += length
        else:
            downbeats.append(start)
            filled = length
        if filled > whole - TOLERANCE:
            filled = 0.0
    return np.array(downbeats, np.float64)
