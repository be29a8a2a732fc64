"""Detects a possible last note: if the player rests on the tonic note, the left hand plays the tonic chord."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from device.clock.step import Step
from device.left_hand.accompanist import Plan

HELD_BEATS = 2.0
"""Beats since the last onset. A tonic note still held this long, at the start of a bar, may be the last note."""
LET_GO_BEATS = 3.0
"""Beats since the last onset. A tonic note that was released may have been the last note after this time."""
SURE = 0.6
"""Least probability given to each pitch class of the tonic chord in such a plan."""


class Ending:
    """Follows the plans step by step and replaces the chord by the tonic chord if the player may have finished."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget what the player did: nothing points to a last note."""
        self._at_home = self._resting = False

    @property
    def at_home(self) -> bool:
        """Whether the player's last known highest key was the root of the tonic chord, in any octave."""
        return self._at_home

    def at(self, plan: Plan, step: Step) -> Plan:
        """Return `plan` itself, or a copy with the tonic chord if the player may have played the last note.

        In the copy all pitch classes outside the tonic chord have probability 0. A pitch class is a key regardless of
        its octave. Call it once for each step, in order.
        """
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
