"""Turns the steps of a clock, in the metre as signed, into the steps that the left hand plays."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import groupby

from device.clock.meter import Meter
from device.clock.step import Step

THREES, TWOS = Meter(6, 8), Meter(2, 4)
"""The metres in which groups of three and of two notated beats are played: see `Meter.groups`."""


class PlayedSteps:
    """Computes the place of each step in the metre that is played, such as 6/8 for 12/8 and 3/8.

    `Meter.played` lists these metres. A metre with `Meter.groups` is played in bars of 6/8 and 2/4.
    """

    def __init__(self) -> None:
        self._meter: Meter | None = None
        self._position = 0
        self._passed = 0
        """Number of steps of the earlier bars that belong to the present played bar."""

    def at(self, step: Step) -> Step:
        """Return `step` in the metre that is played. Call it once for each step, in order."""
        if step.meter.groups:
            self._meter = step.meter
            position, meter = _in_groups(step.meter)[step.position]
            return replace(step, position=position, meter=meter)
        played = step.meter.played
        if step.meter != self._meter:
            self._meter, self._passed = step.meter, 0
        elif step.position <= self._position:
            self._passed = (self._passed + step.meter.steps_per_bar) % played.steps_per_bar
        self._position = step.position
        if played == step.meter:
            return step
        return replace(step, position=(self._passed + step.position) % played.steps_per_bar, meter=played)


@cache
def _in_groups(meter: Meter) -> tuple[tuple[int, Meter], ...]:
    """Return (position in a bar, metre of this bar) for each step of a bar of `meter`, which has groups.

    A group of three beats is half a bar of 6/8, and one of two beats is half a bar of 2/4. So two equal groups in a row
    are a whole bar. A group after one of the other kind, or after a whole bar, begins a bar.
    """
    steps: list[tuple[int, Meter]] = []
    for size, same in groupby(meter.groups):
        bar = THREES if size == 3 else TWOS
        steps += [(step % bar.steps_per_bar, bar) for step in range(sum(same) * meter.steps_per_beat)]
    return tuple(steps)


def beats_of_played_bar(meter: Meter) -> int:
    """Return the number of felt beats of `meter` in a bar as it is played: 2 in 12/8, 6 in 3/8."""
    return meter.played.steps_per_bar // meter.steps_per_beat
