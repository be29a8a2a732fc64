"""Finds seams: places where sound was lost and the rest was joined, so that the wave jumps from one sample to the next.

A jump has energy at all frequencies at once, as a hammer's stroke has. So the net hears it as a new stroke of every
ringing key. But a stroke builds up over milliseconds and goes on. A jump lasts only as long as the resampler's filter.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from device.hearing.features import Samples

JUMP = 7.0
"""Least ratio at which a jump is surely a seam: peak of the fourth difference / its level on both sides.

A digital piano may reach it too, so the stroke of a key whose partials become much louder passes even then.

Real piano reaches 5.6 in four minutes of MAPS ENSTDkCl, and the tune of the tests 5.3. A loss of 0.7 ms within sounding
chords gives up to 128.
"""
DOUBTFUL_JUMP = 5.0
"""Least ratio (see JUMP) at which a jump may be a seam.

Then the onset of a ringing key is held back only if neither its fundamental nor its partials become louder.
"""
LOUDER = 1.25
"""Ratio of the levels after and before a jump above which it is never surely a seam: a note of a digital piano begins
as abruptly, but after a loss the same keys ring on as loudly."""
LEAST = 1e-4
"""Least peak of the fourth difference, as a share of full scale, that can be heard as a stroke."""
_FOURTH = np.array([1.0, -4.0, 6.0, -4.0, 1.0], np.float32)
"""Weights of the fourth difference. It suppresses the partials of a piano, which are strong below 2 kHz."""
_GUARD = 24
"""Number of samples on each side of the peak over which the resampler's filter smears it."""
_SIDE = 200
"""Number of samples that give the level on each side: 12.5 ms at 16 kHz, shorter than the decay of any stroke."""


class Seams:
    """Looks for seams (places where a block of sound was lost) in a stream of hops.

    A seam is reported `behind` hops later, when enough of the sound after it is known.
    """

    def __init__(self, hop: int) -> None:
        """Start with silence. `hop` is the number of samples in a hop."""
        self._hop = hop
        self.behind = math.ceil((_GUARD + _SIDE) / hop)
        """Number of hops by which a seam is found late: 1 with the hop of the models."""
        self._first = self.behind * hop
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._tail: NDArray[np.float32] = np.zeros(len(_FOURTH) - 1 + self._hop, np.float32)
        self._jumps = np.zeros(self._hop + 2 * self._first)
        """Size of the fourth difference of the kept samples. The newest two samples have none yet."""

    def step(self, hop: Samples) -> float:
        """Add the samples of a hop, [hop]. Return the ratio (see JUMP) of the jump in the hop `behind` hops before.

        The ratio is 0 if the largest jump of that hop is too soft. It is at most JUMP if the sound after the jump is
        louder than before (see LOUDER).
        """
        tail, jumps, kept = self._tail, self._jumps, len(_FOURTH) - 1
        tail[:kept] = tail[-kept:]
        tail[kept:] = hop
        jumps[: -self._hop] = jumps[self._hop :]
        late = len(jumps) - kept // 2
        np.abs(np.correlate(tail, _FOURTH, "valid"), out=jumps[late - self._hop : late])
        place = self._first + int(jumps[self._first : self._first + self._hop].argmax())
        peak = float(jumps[place])
        if not peak > LEAST:
            return 0.0
        before = jumps[place - _GUARD - _SIDE : place - _GUARD]
        after = jumps[place + _GUARD : place + _GUARD + _SIDE]
        power_before, power_after = float(np.dot(before, before)), float(np.dot(after, after))
        level = math.sqrt(max(power_before, power_after) / _SIDE)
        ratio = peak / max(level, LEAST / JUMP)
        return min(ratio, JUMP) if power_after > LOUDER**2 * power_before else ratio
