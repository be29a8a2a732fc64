"""Decides whether the left hand plays: it listens first, stops when the player stops, and starts on a beat."""

from __future__ import annotations

from device.clock.step import Step

LISTEN_BEATS = 4.0
"""Beats heard before the left hand starts. Without them the first chord is nearly always wrong."""
STOP_BEATS = 2.0
"""Beats. The left hand stops after the player has made no sound for this long."""
AWAKE_BEATS = 1.0
"""Beats. The left hand starts only if the player was heard within this time."""
HOLD_BEATS = 8.0
"""Beats since the last onset. A key held longer than this no longer counts as playing."""


class Activity:
    """Follows the player step by step. `silent` is the decision for the latest step."""

    def __init__(self, listen_beats: float = LISTEN_BEATS, stop_beats: float = STOP_BEATS) -> None:
        self._listen_beats, self._stop_beats = listen_beats, stop_beats
        self.reset()

    def reset(self) -> None:
        """Listen again from the beginning."""
        self.silent = True
        self._heard_beats: float | None = None
        self._quiet_beats = 0.0

    def at(self, step: Step, sounds: bool, struck: bool, age_steps: float) -> bool:
        """Take the next step and return whether the left hand is silent at it.

        `sounds` is true if a right-hand key is known to be down. `struck` is true if an onset became known since
        the step before. `age_steps` is the number of steps since the latest onset.
        """
        share = 1.0 / step.meter.steps_per_beat
        if self._heard_beats is None:
            self._heard_beats = 0.0 if struck else None
        else:
            self._heard_beats += share
        playing = struck or (sounds and age_steps * share <= HOLD_BEATS)
        self._quiet_beats = 0.0 if playing else self._quiet_beats + share
        if self._quiet_beats + 2 * share >= self._stop_beats:
            self.silent = True
        elif self.silent and step.is_beat and self._heard_beats is not None:
            self.silent = self._heard_beats < self._listen_beats or self._quiet_beats >= AWAKE_BEATS
        return self.silent
