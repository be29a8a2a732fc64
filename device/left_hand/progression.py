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

AHEAD, BASS = 0.6, 0.2
"""Weights on a beat of the accompanist's pitch classes and bass, beside the chord net's log-probability."""
HEARD, CLASSES, MEMBER, HEARD_BASS = 0.8, 1.6, 1.0, 0.25
"""Weights within a beat: chord net, the accompanist's pitch classes, a triad that has the melody's key, its bass.

All were fitted by likelihood on validation pieces.
"""
STAY_BAR, STAY_HALF, STAY_BEAT, STAY_WITHIN = -0.6, -0.4, 0.7, 0.4
"""A new chord has to be so much likelier (natural logarithm): on a bar line, its half, another beat, within a beat."""
LATER = (1, 2, 3)
"""Steps after a beat on which the chord is chosen again, as the melody's key of the beat is heard then."""
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
        self._triad, self._since = -1, 0
        self._heard: Floats = np.zeros(24, np.float32)
        self._chord: Chord | None = None
        self._fits: Floats = np.ones(12, np.float32)
        self._expected: Floats = np.zeros(12, np.float32)

    def at(self, plan: Plan, step: Step, right: RightHand) -> Plan:
        """The plan for `step` with the chord that holds."""
        if step.is_beat:
            self._since = 0
            first, end, pitch = right.notes(step)
            self._heard, melody = self._net.beat(beat_inputs(first, end, pitch, step.index, step.beat, step.meter))
            self._expected = np.asarray(np.exp(melody) @ CONSONANCE, np.float32)
            score = self._heard + AHEAD * np.log(TRIADS @ plan.ahead / 3.0 + FLOOR)
            self._choose(score + BASS * _basses(plan), _stay(step), plan.ahead)
        else:
            self._since += 1
            if self._since in LATER and plan.top is not None:
                score = HEARD * self._heard + CLASSES * np.log(TRIADS @ plan.classes / 3.0 + FLOOR)
                score = score + MEMBER * TRIADS[:, plan.top % 12]
                self._choose(score + HEARD_BASS * _basses(plan), STAY_WITHIN, plan.ahead)
        if self._chord is None or plan.chord is None:
            return plan
        # the melody's key of a beat is not heard yet when the beat is planned
        consonance = self._expected if step.is_beat or plan.top is None else CONSONANCE[plan.top % 12]
        return replace(plan, chord=self._chord, fits=self._fits, consonance=consonance)

    def _choose(self, score: Floats, stay: float, ahead: Floats) -> None:
        """Take the triad of the greatest score, or keep the one that holds if that is not `stay` less likely."""
        best = int(np.argmax(score))
        if self._triad < 0 or score[best] > score[self._triad] + stay:
            self._triad = best
        share = np.exp(score - score.max())
        self._fits = np.asarray((share / share.sum()) @ TRIADS, np.float32)
        self._chord = chord_of(self._triad, ahead)


def _basses(plan: Plan) -> Floats:
    """[24] the logarithm of the accompanist's probability that the root is the bass."""
    return np.asarray(np.tile(np.log(plan.bass[:12] + FLOOR), 2), np.float32)


def _stay(step: Step) -> float:
    if step.is_bar:
        return STAY_BAR
    meter = step.meter
    half = meter.steps_per_bar // 2 if meter.beats_per_bar % 2 == 0 else meter.steps_per_bar
    return STAY_HALF if step.position % half == 0 else STAY_BEAT
