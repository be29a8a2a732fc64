"""The manners of playing that the clock's hypotheses have: how much the tempo and the onsets of a player move.

The variances began as the maximum of the likelihood of the onsets of 70 real performances whose beats are known, and
were then changed by hand. A player in even time who speeds up or slows down steadily has a manner of his own, so that
the beat goes on getting shorter or longer through a rest.
"""

from __future__ import annotations

import numpy as np

from device.clock.rhythm import Floats, Ints

IN_TIME, FLEXIBLE, FREE, UNEVEN, SLOWING, QUICKENING, STRICT = range(7)
"""The manners. The last three are uneven in the onsets but not in the tempo, as `UNEVEN` is."""
MANNERS = 7
TEMPO_VAR = np.array([0.008, 0.043, 0.12, 0.012, 0.006, 0.006, 0.002]) ** 2
"""Variance of the relative change of a quarter's length in one quarter, by manner."""
PLACE_VAR = np.array([0.0125, 0.004, 0.087, 0.002, 0.002, 0.002, 0.002]) ** 2
"""Variance of the shift of all later places in one quarter, in quarters squared, by manner."""
JITTER_S = np.array([0.011, 0.018, 0.018, 0.022, 0.02, 0.02, 0.02])
"""Standard deviation of an onset around its place, in seconds, by manner."""
DRIFT = np.array([0.0, 0.0, 0.0, 0.0, 0.01, -0.01, 0.0])
"""Relative change of a quarter's length in one quarter that goes on, by manner."""
DRIFTS = 8.0
"""Quarters without an onset after which the tempo drifts no further."""
RETURN = 0.3
"""Rate per quarter at which the tempo returns to the usual tempo."""
USUAL = np.array([0.6, 0.23, 0.23, 0.6, 0.6, 0.6, 0.6])
"""Rate per quarter at which the usual tempo follows the tempo, by manner."""
AT_FIRST = np.array([0.5, 0.15, 0.05, 0.25, 0.0, 0.0, 0.05])
"""Probability of each manner after a count-in."""
STAYS = 0.975
"""Probability that the manner is the same at the next onset."""
TURNS_TO = np.array([1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
"""Relative probability of each manner if the manner changes. Slowing, quickening and strict playing come from uneven
playing or from each other only, and turn to these only: a player with rubato would be taken for one who drifts."""
STEADY, STEADY_RATE = 0.25, 0.03
"""A player is steady from this probability of uneven playing, of drifts and of strict playing on: a running mean with
this share of an onset. With rubato it is below .16 at three quarters of the onsets. On a rigid grid with 20 ms of
random timing it is above .34 at as many."""
AT_FIRST_STEADY = 0.5
"""This mean at the beginning."""
LATE, LATE_BEAT = 0.03, 0.06
"""Probability that an onset off a beat, and on a beat, is late; all later places are late with it."""
LATE_MEAN, LATE_SD = 0.042, 0.024
"""How late, in quarters."""


class Ways:
    """The ways in which an onset may follow the last: the manners, and late. A late onset keeps the manner before."""

    def __init__(self) -> None:
        turn = np.repeat(TURNS_TO[:, None], MANNERS, 1) * (1 - np.eye(MANNERS))
        turn[SLOWING:, :UNEVEN] = turn[:UNEVEN, SLOWING:] = 0
        turn = (1 - STAYS) * turn / turn.sum(0) + STAYS * np.eye(MANNERS)
        self.steady = _table(turn)
        """Variances of tempo, place and jitter, and probability [4, way, manner before; the same on a beat]."""
        turn = np.full((MANNERS, MANNERS), (1 - STAYS) / (SLOWING - 1))
        turn[np.diag_indices(SLOWING)] = STAYS
        turn[UNEVEN, SLOWING:] += STAYS
        turn[SLOWING:] = 0
        self.any = _table(turn)
        """The same, where a player is not steady: nobody drifts or is strict, and those who did are uneven."""
        self._share = AT_FIRST_STEADY

    @property
    def table(self) -> Floats:
        """The table for the player as heard so far."""
        return self.steady if self._share > STEADY else self.any

    def hear(self, weight: Floats, manner: Ints) -> None:
        """Take in the weights [n] of all hypotheses and their manners [n] after an onset."""
        self._share += STEADY_RATE * (float(weight @ (manner >= UNEVEN)) - self._share)


def _table(turn: Floats) -> Floats:
    """`turn` is the probability [manner, manner before]."""
    chance = [np.vstack([turn * (1 - late), np.full(MANNERS, late)]) for late in (LATE, LATE_BEAT)]
    fixed = [np.tile(np.vstack([np.repeat(v[:, None], MANNERS, 1), v]), 2) for v in (TEMPO_VAR, PLACE_VAR, JITTER_S**2)]
    return np.array([*fixed, np.hstack(chance)])


def drifted(quarters: Floats) -> Floats:
    """By how much places so many quarters ahead move [...], in quarters, for each unit of `DRIFT`."""
    changing = np.minimum(quarters, DRIFTS)
    return np.asarray(changing * (quarters - 0.5 * changing))
