"""Estimates the tempo from the number of onsets a second, for a clock that was given no tempo."""

from __future__ import annotations

import math

import numpy as np

from device.following.rhythm import Floats

AT_ONE_SECOND, OF_GAP, OF_BEAT, PACE_OCTAVES = 1.88, 0.725, -0.78, 0.32
"""Linear regression of log2 of a quarter note in seconds, on 70 performances.

The values are a constant, the factor of the mean log2 of the gaps between onsets in seconds, the factor of the felt
beat in quarter notes, and the spread in octaves.
"""
ONSETS, LONGEST_GAP_S = 64, 3.0
"""Number of gaps in the running mean, and the longest gap that counts, in seconds."""
LONGEST_S = 0.8
"""Longest quarter note, in seconds, that the gaps can suggest. A tune with few onsets a beat need not be slow."""
USUAL_QUARTER_S, TEMPO_OCTAVES = 0.62, 0.6
"""Usual length of a quarter in seconds, and the spread of the tempo around it, in octaves, before the first gap."""
PULL_PACE = 0.1
"""Exponent of the probability of a tempo at each onset, if no tempo was given."""
HINTED_OCTAVES = 0.45
"""Spread in octaves around a tempo that was given. It may be half or twice the tempo of the music."""
HINT_WRONG = 0.1
"""Probability that a tempo that was given is not the tempo of the music."""


def first_weights(quarter_s: Floats, usual_s: float, octaves: float) -> Floats:
    """Return the probabilities [m] of the lengths `quarter_s` [m] of a quarter note in seconds. They sum to 1.

    Lengths near `usual_s` seconds are likely, with a spread of `octaves` octaves. With probability `HINT_WRONG`,
    lengths near `USUAL_QUARTER_S` are likely instead.
    """
    given = np.exp(-0.5 * (np.log2(quarter_s / usual_s) / octaves) ** 2)
    usual = np.exp(-0.5 * (np.log2(quarter_s / USUAL_QUARTER_S) / TEMPO_OCTAVES) ** 2)
    return np.asarray((1 - HINT_WRONG) * given / given.sum() + HINT_WRONG * usual / usual.sum())


class Pace:
    """Estimates the length of a quarter note from the gaps between the onsets so far."""

    def __init__(self, beat: float) -> None:
        """`beat` is the length of a felt beat in quarters."""
        self._beat = beat
        self._gaps, self._mean = 0, 0.0
        self._quarter_s = LONGEST_S

    @property
    def usual_gap_s(self) -> float:
        """Return the geometric mean of the last gaps in seconds."""
        return math.exp2(self._mean)

    def hear(self, gap_s: float) -> float:
        """Add the gap before an onset, in seconds, and return the estimated length of a quarter note in seconds.

        A gap of 0 or less, or of `LONGEST_GAP_S` or more, does not change the estimate.
        """
        if 0 < gap_s < LONGEST_GAP_S:
            self._gaps += 1
            self._mean += (math.log2(gap_s) - self._mean) / min(self._gaps, ONSETS)
            self._quarter_s = min(LONGEST_S, 2 ** (AT_ONE_SECOND + OF_GAP * self._mean + OF_BEAT * self._beat))
        return self._quarter_s
