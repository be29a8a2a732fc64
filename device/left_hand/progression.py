"""The chord that holds, by the chord net and the accompanist together, and how likely each pitch class fits it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.chord_net import ChordNet, beat_inputs
from device.left_hand.harmony import TRIADS, Chord, chord_of
from device.left_hand.right_hand import RightHand

Floats = npt.NDArray[np.float32]

AHEAD = 2.5
"""Weight of the accompanist's own pitch classes beside the chord net's log-probability."""
SUITS = 1.0
"""Weight of the mean expected consonance of a triad's keys with the melody."""
STAY_HALF, STAY_BEAT = -0.4, 0.7
"""A new chord has to be so much likelier (natural logarithm): where a half bar begins, and on any other beat."""
FLOOR = 0.02
"""Added to a probability before its logarithm is taken."""


CONSONANCE = np.zeros((12, 12), np.float32)
"""[melody, pitch class] 1 for unisons, thirds, fifths and sixths, 0 for fourths, else -1."""
for _melody in range(12):
    for _class in range(12):
        _interval = (_melody - _class) % 12
        CONSONANCE[_melody, _class] = 1.0 if _interval in (0, 3, 4, 7, 8, 9) else 0.0 if _interval == 5 else -1.0


class Progression:
    """Chooses a chord on every beat; it changes more readily where a bar or its half begins."""

    def __init__(self, net: ChordNet) -> None:
        self._net = net
        self.reset()

    def reset(self) -> None:
        """No chord holds and nothing was heard."""
        self._net.reset()
        self._triad = -1
        self._chord: Chord | None = None
        self._fits: Floats = np.ones(12, np.float32)
        self._expected: Floats = np.zeros(12, np.float32)

    def at(self, plan: Plan, step: Step, right: RightHand) -> Plan:
        """The plan for `step` with the chord that holds."""
        ahead = plan.ahead
        if step.is_beat:
            first, end, pitch = right.notes(step)
            heard, melody = self._net.beat(beat_inputs(first, end, pitch, step.index, step.beat, step.meter))
            fits = np.log(TRIADS @ ahead / 3.0 + FLOOR)
            score = heard + AHEAD * (fits - fits.max())
            expected = np.asarray(np.exp(melody) @ CONSONANCE, np.float32)
            score = score + SUITS * (TRIADS @ expected) / 3.0
            best = int(np.argmax(score))
            meter = step.meter
            half = meter.steps_per_bar // 2 if meter.beats_per_bar % 2 == 0 else meter.steps_per_bar
            stay = STAY_HALF if step.position % half == 0 else STAY_BEAT
            if self._triad < 0 or score[best] > score[self._triad] + stay:
                self._triad = best
            share = np.exp(score - score.max())
            self._expected = expected
            self._fits = np.asarray((share / share.sum()) @ TRIADS, np.float32)
            self._chord = chord_of(self._triad, ahead)
        if self._chord is None or plan.chord is None:
            return plan
        # the melody's key of a beat is not heard yet when the beat is planned
        consonance = self._expected if step.is_beat or plan.top is None else CONSONANCE[plan.top % 12]
        return replace(plan, chord=self._chord, fits=self._fits, consonance=consonance)
