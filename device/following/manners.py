"""Defines the manners of playing for the clock's hypotheses: how much a player's tempo and onsets vary.

The variances were first fitted by maximum likelihood to the onsets of 70 real performances whose beats are known, and
were then changed by hand. Steady slowing down and steady speeding up are manners of their own. With them, the beat
continues to become longer or shorter during a rest.
"""

from __future__ import annotations

import numpy as np

from device.following.rhythm import Floats, Ints

IN_TIME, FLEXIBLE, FREE, UNEVEN, SLOWING, QUICKENING, STRICT = range(7)
"""Numbers of the manners. In `UNEVEN` and the three after it, the onsets are uneven and the tempo is even."""
MANNERS = 7
TEMPO_VAR = np.array([0.008, 0.043, 0.12, 0.012, 0.006, 0.006, 0.002]) ** 2
"""Variance of the relative change of a quarter's length in one quarter, by manner."""
PLACE_VAR = np.array([0.0125, 0.004, 0.087, 0.002, 0.002, 0.002, 0.002]) ** 2
"""Variance of the shift of all later places in one quarter, in quarters squared, by manner."""
JITTER_S = np.array([0.011, 0.018, 0.018, 0.022, 0.02, 0.02, 0.02])
"""Standard deviation of an onset around its place, in seconds, by manner."""
DRIFT = np.array([0.0, 0.0, 0.0, 0.0, 0.01, -0.01, 0.0])
"""Steady relative change of a quarter's length in each quarter (drift), by manner."""
DRIFTS = 8.0
"""The tempo drifts no further after this many quarter notes without an onset."""
RETURN = 0.3
"""Rate per quarter note at which the tempo returns exponentially to the usual tempo."""
USUAL = np.array([0.6, 0.23, 0.23, 0.6, 0.6, 0.6, 0.6])
"""Rate per quarter at which the usual tempo follows the tempo, by manner."""
TEMPO_AND_USUAL = np.array((TEMPO_VAR, USUAL))
AT_FIRST = np.array([0.5, 0.15, 0.05, 0.25, 0.0, 0.0, 0.05])
"""Probability of each manner after a count-in."""
STAYS = 0.975
"""Probability that the manner is the same at the next onset."""
TURNS_TO = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
"""Relative probability of each manner if the manner changes. Slowing, quickening and strict playing only follow uneven
playing or each other, and only these follow them. Else the clock would take free changes of tempo for a drift."""
STEADY, STEADY_RATE = 0.25, 0.03
"""A player counts as steady if the running mean of the probability of the last four manners is above STEADY.

Each onset has the weight STEADY_RATE in the mean. With freely changing tempo, the mean is below .16 at three quarters
of the onsets. With a constant tempo and 20 ms of random timing, it is above .34 at three quarters.
"""
AT_FIRST_STEADY = 0.5
"""Value of this mean at the beginning."""
LATE, LATE_BEAT = 0.03, 0.06
"""Probability that an onset is late: off a beat, and on a beat. All later places are then late too."""
LATE_MEAN, LATE_SD = 0.042, 0.024
"""Mean and standard deviation of the delay of such an onset, in quarters."""


class Ways:
    """Holds the probabilities of the ways in which an onset may follow the last: each manner, or late.

    A late onset keeps the manner of the onset before.
    """

    def __init__(self) -> None:
        turn = np.repeat(TURNS_TO[:, None], MANNERS, 1) * (1 - np.eye(MANNERS))
        turn[SLOWING:, :UNEVEN] = turn[:UNEVEN, SLOWING:] = 0
        turn = (1 - STAYS) * turn / turn.sum(0) + STAYS * np.eye(MANNERS)
        self.steady = _table(turn)
        """Table for a steady player, [4, ways, 2 * MANNERS]: variances of tempo, place and jitter, and probability.

        The columns are the manner before, first for an onset off a beat, then for one on a beat.
        """
        turn = np.full((MANNERS, MANNERS), (1 - STAYS) / (SLOWING - 1))
        turn[np.diag_indices(SLOWING)] = STAYS
        turn[:, SLOWING:] = (1 - STAYS) / SLOWING
        turn[UNEVEN, SLOWING:] += STAYS
        turn[SLOWING:] = 0
        self.any = _table(turn)
        """Such a table for a player who is not steady. Drifts and strict playing then only turn to uneven playing."""
        self._share = AT_FIRST_STEADY

    @property
    def is_steady(self) -> bool:
        """Whether the player, as heard so far, keeps an even tempo."""
        return self._share > STEADY

    @property
    def share(self) -> float:
        """Return the running mean of the weight of the manners with an even tempo, 0 to 1."""
        return self._share

    @property
    def table(self) -> Floats:
        """Return the table for the player as heard so far: `steady` or `any`."""
        return self.steady if self.is_steady else self.any

    def hear(self, weight: Floats, manner: Ints) -> None:
        """Update the estimate of how steady the player is, from the weights [n] and manners [n] of all hypotheses."""
        self._share += STEADY_RATE * (float(weight @ (manner >= UNEVEN)) - self._share)


def _table(turn: Floats) -> Floats:
    """Return a table like `Ways.steady`, from the probabilities `turn` [manner, manner before]."""
    chance = [np.vstack([turn * (1 - late), np.full(MANNERS, late)]) for late in (LATE, LATE_BEAT)]
    fixed = [np.tile(np.vstack([np.repeat(v[:, None], MANNERS, 1), v]), 2) for v in (TEMPO_VAR, PLACE_VAR, JITTER_S**2)]
    return np.array([*fixed, np.hstack(chance)])


def drifted(quarters: Floats) -> Floats:
    """Return how far places that are `quarters` [...] ahead move, in quarters, for each unit of `DRIFT`."""
    changing = np.minimum(quarters, DRIFTS)
    return np.asarray(changing * (quarters - 0.5 * changing))
