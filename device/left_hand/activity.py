"""Whether the left hand plays at all: it listens first, stops with the player, and comes in on a beat."""

from __future__ import annotations

from device.clock.step import Step

LISTEN_BEATS = 4.0
"""Beats heard before the first note: without them the first chord is nearly always wrong."""
STOP_BEATS = 2.0
"""Beats without a sound from the player after which the left hand is silent."""
AWAKE_BEATS = 1.0
"""The left hand comes in if the player was heard within so many beats."""
HOLD_BEATS = 8.0
"""A key held longer than this since the last onset no longer counts as playing."""


class Activity:
    """Follows the player through the steps of the grid; `silent` says what holds for the step taken last."""

    def __init__(self, listen_beats: float = LISTEN_BEATS, stop_beats: float = STOP_BEATS) -> None:
        self._listen_beats, self._stop_beats = listen_beats, stop_beats
        self.reset()

    def reset(self) -> None:
        """Listen again from the beginning."""
        self.silent = True
        self._heard_beats: float | None = None
        self._quiet_beats = 0.0

    def at(self, step: Step, sounds: bool, struck: bool, age_steps: float) -> bool:
        """Take the next step and say whether it is silent.

        `sounds`: a right-hand key is known to be down; `struck`: an onset became known since the step before;
        `age_steps`: steps since the latest onset.
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
