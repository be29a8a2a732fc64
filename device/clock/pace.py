"""The tempo that people take when they play so many onsets a second, for a clock that was told no tempo."""

from __future__ import annotations

import math

import numpy as np

from device.clock.rhythm import Floats

AT_ONE_SECOND, OF_GAP, OF_BEAT, PACE_OCTAVES = 1.88, 0.725, -0.78, 0.32
"""Linear regression on 70 performances of the binary logarithm of the quarter in seconds: a constant, the factor of the
mean binary logarithm of the gaps between onsets in seconds, that of the beat in quarters, and the spread in octaves."""
ONSETS, LONGEST_GAP_S = 64, 3.0
"""Gaps over which the mean goes, and the longest gap that counts."""
LONGEST_S = 0.8
"""No longer quarter is expected from the gaps: a tune of few onsets a beat is not a slow one."""
USUAL_QUARTER_S, TEMPO_OCTAVES = 0.62, 0.6
"""The usual length of a quarter, and the spread of the tempo around it before the first gap."""
PULL_PACE = 0.1
"""Exponent at each onset of the prior of the tempo, if no tempo was given."""
HINTED_OCTAVES = 0.45
"""The spread around the usual length in that prior, if a tempo was given: it may be half or twice that of the music."""
HINT_WRONG = 0.1
"""Probability that a tempo that was given is not the tempo of the music."""


def first_weights(quarter_s: Floats, usual_s: float, octaves: float) -> Floats:
    """Return the probabilities of lengths [m] of a quarter in seconds, if about `usual_s` was given."""
    given = np.exp(-0.5 * (np.log2(quarter_s / usual_s) / octaves) ** 2)
    usual = np.exp(-0.5 * (np.log2(quarter_s / USUAL_QUARTER_S) / TEMPO_OCTAVES) ** 2)
    return np.asarray((1 - HINT_WRONG) * given / given.sum() + HINT_WRONG * usual / usual.sum())


class Pace:
    """Expects a length of the quarter from the gaps between the onsets so far."""

    def __init__(self, beat: float) -> None:
        """`beat` is the felt beat in quarters."""
        self._beat = beat
        self._gaps, self._mean = 0, 0.0
        self._quarter_s = LONGEST_S

    def hear(self, gap_s: float) -> float:
        """Take in the gap before an onset; return the expected length of a quarter in seconds."""
        if 0 < gap_s < LONGEST_GAP_S:
            self._gaps += 1
            self._mean += (math.log2(gap_s) - self._mean) / min(self._gaps, ONSETS)
            self._quarter_s = min(LONGEST_S, 2 ** (AT_ONE_SECOND + OF_GAP * self._mean + OF_BEAT * self._beat))
        return self._quarter_s
