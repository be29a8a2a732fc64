"""Coming to rest: where the player stops on the tonic, what is struck then is its chord."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from device.clock.step import Step
from device.left_hand.accompanist import Plan

HELD_BEATS = 2.0
"""Beats after which a tonic that is still held where a bar begins may be the last note."""
LET_GO_BEATS = 3.0
"""Beats after the last onset from which on one that has been let go may have been."""
SURE = 0.6
"""How likely the pitch classes of its chord then are at least."""


class Ending:
    """Follows the plans step by step, and turns those that may be the last to the tonic."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """The player was not heard."""
        self._at_home = self._resting = False

    def at(self, plan: Plan, step: Step) -> Plan:
        """The plan as it is, or with the tonic for its chord, and no pitch class beside it."""
        if plan.top is not None:
            self._at_home = plan.tonic is not None and plan.top % 12 == plan.tonic.root
        beats = plan.age_steps / step.meter.steps_per_beat
        let_go = plan.top is None and beats >= LET_GO_BEATS
        held = beats >= HELD_BEATS and (self._resting or (step.is_bar and plan.top is not None))
        self._resting = self._at_home and (let_go or held)
        if not self._resting or plan.tonic is None:
            return plan
        tonic = plan.tonic.classes
        classes = np.zeros_like(plan.classes)
        classes[list(tonic)] = np.maximum(plan.classes[list(tonic)], SURE)
        bass = np.zeros_like(plan.bass)
        bass[tonic[0]], bass[12] = 1.0 - plan.bass[12], plan.bass[12]
        return replace(plan, chord=plan.tonic, classes=classes, bass=bass)
