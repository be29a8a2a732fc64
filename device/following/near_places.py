"""Finds the places of the grid that an onset may have been meant for, by a rough look at their times.

For each hypothesis these are the sixteenths, triplets and thirty-seconds around the onset. The rough look is cheap:
only the places that it leaves are computed for all manners of playing (`split.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from device.following.bank import LONGEST, QUARTER_S, TICK, TIME, WEIGHT, HypothesisBank
from device.following.next_onset import QUARTER, SIXTEENTH, TINY
from device.following.rhythm import Floats, Ints

LOOKED_AT = 1000
"""Largest number of pairs of hypothesis and place that are left."""
FAR = 10.0
"""A pair is left out if its log weight is lower than that of the likeliest pair by more than this."""
ROUGH_S, NEAR, NEAR_FAR = 0.022, 0.05, 0.1
"""Standard deviation of an onset around its place: a part in seconds, a part in quarters, and what is added for each
quarter of the gap, in quarters."""
FROM = np.array([0.0, 0.0, 3.0])[:, None]
UNITS = np.array([6.0, 4.0, 6.0])[:, None]
ROWS = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2])
OFFSETS = np.array([-12.0, -6.0, 0.0, 6.0, 12.0, 0.0, 4.0, 3.0, 9.0])[:, None]
"""Ticks of the places that are looked at around an onset: five sixteenths, two of triplets and two of thirty-seconds.
A place is the greatest multiple of the unit that is not later than the onset less `FROM`, plus the offset. `ROWS` says
which `FROM` and which unit belong to each offset."""
TRIPLET_ROWS = slice(5, 7)


class NearPlaces(NamedTuple):
    """Holds m pairs of a hypothesis and a place near an onset.

    `parent` is the number of the hypothesis, `ahead` the ticks from its last onset to the place, `log_weight` the log
    weight without the prior probability of the place, and `width` the standard deviation of the onset around the place
    in quarters. Each is an array [m].
    """

    parent: Ints
    ahead: Ints
    log_weight: Floats
    width: Floats


def near_places(b: HypothesisBank, onset_s: float) -> NearPlaces:
    """Return the pairs of a hypothesis of `b` and a place near the onset at `onset_s` seconds.

    There is no pair if the onset is too long before the last onset of every hypothesis.
    """
    quarter_s, tick = b.real[QUARTER_S], b.whole[TICK].astype(np.float64)
    x = tick + (onset_s - b.real[TIME]) * QUARTER / quarter_s
    # the places are whole numbers of ticks, kept as floats
    begins = np.floor((x - FROM) / UNITS)
    begins *= UNITS
    place = begins.take(ROWS, 0)
    place += OFFSETS
    off = place - x
    is_out = place <= tick
    is_out[TRIPLET_ROWS] |= place[TRIPLET_ROWS] % SIXTEENTH == 0
    place -= tick
    width = np.minimum(place, LONGEST * QUARTER)
    width *= NEAR_FAR / QUARTER
    width += ROUGH_S / quarter_s + NEAR
    off /= QUARTER * width
    rough = off * -0.5
    rough *= off
    rough += np.log(b.real[WEIGHT] + TINY)
    rough[is_out] = -np.inf
    flat = rough.ravel()
    # an onset may be before the last count: the counts are on one line, and no count-in is faster than 400 a minute
    if flat.max() == -np.inf:
        nowhere = np.zeros(0, np.int64)
        return NearPlaces(nowhere, nowhere, np.zeros(0), np.zeros(0))
    some = (flat > flat.max() - FAR).nonzero()[0]
    if len(some) > LOOKED_AT:
        some = some[(-flat[some]).argpartition(LOOKED_AT)[:LOOKED_AT]]
    return NearPlaces(some % len(b), place.take(some).astype(np.int64), flat.take(some), width.take(some))
