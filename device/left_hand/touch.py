"""Chooses how hard the left hand strikes each key: by the player's velocity, the place in the bar, and in the chord.

All values are means over the left hands of POP909, the only corpus of the training data whose notes have velocities.
`python -m training evaluate touch` measures them again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from device.clock.step import Step
from device.left_hand.accompanist import Plan

UNDER_PLAYER = 0.81
"""The left hand's mean velocity as a share of the running mean of the player's."""
ON_BAR, ON_HALF, ON_BEAT, OFF_BEAT = 1.04, 1.02, 1.04, 0.96
"""Factors on the velocity of a strike on the bar line, in the middle of the bar, on another beat, and between beats."""
LOWEST_KEY, HIGHEST_KEY, INNER_KEY = 0.99, 1.01, 0.99
"""Factors on the velocity of the lowest, the highest and another key, if two or more keys are struck together."""
SPREAD = 0.1
"""Standard deviation of a key's velocity around these means within a strike, as a share of the velocity."""
MOST_SPREADS = 2.0
"""Greatest random difference, in standard deviations."""
UNSURE_LOCK, UNSURE = 0.6, 0.7
"""Value of `Plan.lock` (the clock's trust in its beat) below which the hand plays softer, and the factor at 0."""
SOFTEST, LOUDEST = 12, 127
"""Least and greatest MIDI velocity of the left hand."""


class Touch:
    """Computes the velocities of struck keys, with small random differences. The same seed gives the same ones."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Begin the random differences again, from the seed."""
        self._rng = np.random.default_rng(self._seed)

    def at(self, keys: Sequence[int], plan: Plan, step: Step) -> list[int]:
        """Return the MIDI velocity of each of `keys`, MIDI pitches in rising order, struck together at `step`.

        Each is softer than the running mean of the player's velocities, except that none is softer than SOFTEST.
        """
        if not keys:
            return []
        mean = plan.velocity * UNDER_PLAYER * accent(step) * trust(plan.lock)
        most = max(SOFTEST, min(int(plan.velocity) - 1, LOUDEST))
        drawn = np.clip(self._rng.standard_normal(len(keys)), -MOST_SPREADS, MOST_SPREADS) if len(keys) > 1 else (0.0,)
        return [
            min(max(round(mean * place(i, len(keys)) * (1 + SPREAD * float(more))), SOFTEST), most)
            for i, more in enumerate(drawn)
        ]


def accent(step: Step) -> float:
    """Return the factor on the velocity of a strike at `step`. It depends on the place in the bar."""
    if step.is_bar:
        return ON_BAR
    if not step.is_beat:
        return OFF_BEAT
    return ON_HALF if 2 * step.position == step.meter.steps_per_bar else ON_BEAT


def place(index: int, number: int) -> float:
    """Return the factor on the velocity of key `index` (0 is the lowest) if `number` keys are struck together."""
    if number == 1:
        return 1.0
    return LOWEST_KEY if index == 0 else HIGHEST_KEY if index == number - 1 else INNER_KEY


def trust(lock: float) -> float:
    """Return the factor on the velocity for `lock`, the clock's trust in its beat, from 0 to 1."""
    return 1.0 if lock >= UNSURE_LOCK else UNSURE + (1.0 - UNSURE) * lock / UNSURE_LOCK
