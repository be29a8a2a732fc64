"""Tells whether a player who did not count in keeps an even tempo, by how much the length of the beat changes.

`Ways` in `manners.py` also tells this, but only for a player whose onsets are uneven by about 20 ms. One who plays
more exactly is best explained by the manner "in time", which players with free tempo often have too. So here this
manner counts for an even tempo while the length of the leader's beat hardly changes.
"""

from __future__ import annotations

import math

from device.following.bank import MANNER, WEIGHT, HypothesisBank
from device.following.manners import AT_FIRST_STEADY, IN_TIME, STEADY, STEADY_RATE, UNEVEN

MEAN_S, SPREAD_S, LONGEST_S = 4.0, 8.0, 1.5
"""Seconds over which the length of the beat and its spread are averaged (exponentially), and the longest time between
two onsets that counts, in seconds."""
FIRST_SPREAD, EVEN = 0.02, 0.016
"""Spread of the natural logarithm of the beat at the beginning, and the spread below which a tempo is even."""
LEAP = 0.15
"""If the natural logarithm of the beat changes by more than this, the mean begins again."""


class EvenTempo:
    """Follows the length of the beat in one piece of music."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._variance = FIRST_SPREAD**2
        self._share = AT_FIRST_STEADY

    @property
    def is_even(self) -> bool:
        """Whether the player, as heard so far, keeps an even tempo."""
        return self._share > STEADY

    def hear(self, beat_s: float, gap_s: float, bank: HypothesisBank) -> None:
        """Use an onset that comes `gap_s` seconds after the last one.

        `beat_s` is the length in seconds of the beat of a kept grid (`GridFrame`), which stays when the leader changes
        to half or double tempo; 0 if there is none. `bank` has heard the onset.
        """
        if beat_s:
            log_beat, gap_s = math.log(beat_s), min(gap_s, LONGEST_S)
            if self._mean is None or abs(log_beat - self._mean) > LEAP:
                self._mean = log_beat
            off = log_beat - self._mean
            self._variance += -math.expm1(-gap_s / SPREAD_S) * (off * off - self._variance)
            self._mean += -math.expm1(-gap_s / MEAN_S) * off
        weight, manner = bank.real[WEIGHT], bank.whole[MANNER]
        even = manner >= UNEVEN
        if self._variance < EVEN**2:
            even |= manner == IN_TIME
        self._share += STEADY_RATE * (float(weight @ even) - self._share)
