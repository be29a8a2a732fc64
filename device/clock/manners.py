"""The manners in which an onset may follow the last: how much tempo, place and onset vary, and how often each comes."""

from __future__ import annotations

import numpy as np

from device.clock.bank import PLACE_VAR, TEMPO_VAR

JITTER_S = np.array([0.011, 0.018, 0.018, 0.022])
"""Standard deviation of an onset around its place, in seconds, by manner: in time, flexible, free, uneven."""
MANNERS = len(TEMPO_VAR)
STAYS = 0.975
"""Probability that the manner is the same at the next onset."""
LATE, LATE_BEAT = 0.03, 0.06
"""Probability that an onset off a beat, and on a beat, is late; all later places are late with it."""
LATE_MEAN, LATE_SD = 0.042, 0.024
"""How late, in quarters."""


class Ways:
    """The ways in which an onset may follow the last: the manners, and late. A late onset keeps the manner before."""

    def __init__(self) -> None:
        change = (1 - STAYS) / (MANNERS - 1)
        turn = np.full((MANNERS, MANNERS), change) + np.eye(MANNERS) * (STAYS - change)
        chance = [np.vstack([turn * (1 - late), np.full(MANNERS, late)]) for late in (LATE, LATE_BEAT)]
        fixed = [
            np.tile(np.vstack([np.repeat(v[:, None], MANNERS, 1), v]), 2) for v in (TEMPO_VAR, PLACE_VAR, JITTER_S**2)
        ]
        self.table = np.array([*fixed, np.hstack(chance)])
        """Variances of tempo, place and jitter, and probability [4, way, manner before; the same on a beat]."""
