"""Turns the steps of a clock, in the metre as signed, into the steps that the left hand plays."""

from __future__ import annotations

from dataclasses import replace

from device.clock.meter import Meter
from device.clock.step import Step


class PlayedSteps:
    """Computes the place of each step in the metre that is played, such as 6/8 for 12/8 and 3/8.

    `Meter.played` lists these metres.
    """

    def __init__(self) -> None:
        self._meter: Meter | None = None
        self._position = 0
        self._passed = 0
        """Number of steps of the earlier bars that belong to the present played bar."""

    def at(self, step: Step) -> Step:
        """Return `step` in the metre that is played. Call it once for each step, in order."""
        played = step.meter.played
        if step.meter != self._meter:
            self._meter, self._passed = step.meter, 0
        elif step.position <= self._position:
            self._passed = (self._passed + step.meter.steps_per_bar) % played.steps_per_bar
        self._position = step.position
        if played == step.meter:
            return step
        return replace(step, position=(self._passed + step.position) % played.steps_per_bar, meter=played)


def beats_of_played_bar(meter: Meter) -> int:
    """Return the number of felt beats of `meter` in a bar as it is played: 2 in 12/8, 6 in 3/8."""
    return meter.played.steps_per_bar // meter.steps_per_beat
