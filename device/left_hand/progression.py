"""The chord that holds, by the chord net and the accompanist together, and how likely each pitch class fits it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.chord_net import ChordNet, beat_inputs
from device.left_hand.harmony import TRIADS, chord_of
from device.left_hand.right_hand import RightHand

Floats = npt.NDArray[np.float32]

AHEAD = 1.0
"""Weight of the accompanist's own pitch classes beside the chord net's log-probability."""
STAY_HALF, STAY_BEAT = 0.1, 0.7
"""A new chord has to be so much likelier (natural logarithm): where a half bar begins, and on any other beat."""
FLOOR = 0.02
"""Added to a probability before its logarithm is taken."""


class Progression:
    """Chooses a chord on every beat; it changes more readily where a bar or its half begins."""

    def __init__(self, net: ChordNet) -> None:
        self._net = net
        self.reset()

    def reset(self) -> None:
        """No chord holds and nothing was heard."""
        self._net.reset()
        self._triad = -1
        self._fits: Floats = np.ones(12, np.float32)

    def at(self, plan: Plan, step: Step, right: RightHand) -> Plan:
        """The plan for `step` with the chord that holds."""
        ahead = plan.ahead
        if step.is_beat:
            first, end, pitch = right.notes(step)
            heard = self._net.beat(beat_inputs(first, end, pitch, step.index, step.beat, step.meter))
            fits = np.log(TRIADS @ ahead / 3.0 + FLOOR)
            score = heard + AHEAD * (fits - fits.max())
            best = int(np.argmax(score))
            meter = step.meter
            half = meter.steps_per_bar // 2 if meter.beats_per_bar % 2 == 0 else meter.steps_per_bar
            stay = STAY_HALF if step.position % half == 0 else STAY_BEAT
            if self._triad < 0 or score[best] > score[self._triad] + stay:
                self._triad = best
            share = np.exp(score - score.max())
            self._fits = np.asarray((share / share.sum()) @ TRIADS, np.float32)
        if self._triad < 0 or plan.chord is None:
            return plan
        return replace(plan, chord=chord_of(self._triad, ahead), fits=self._fits)
