"""Holds what the clocks have in common whose tempo does not come from the player."""

from __future__ import annotations

from device.clock.step import ClockPulse


class GivenTempo:
    """Ignores the calls of `Clock` that change a tempo. A clock that uses one of them has its own method for it."""

    @property
    def tempo_held(self) -> bool:
        """Always False: the tempo does not depend on the player."""
        return False

    def hold_tempo(self, on: bool) -> None:
        """Does nothing: the tempo does not depend on the player."""

    def tap(self, at_s: float) -> None:
        """Does nothing: the beats do not depend on the player."""

    def pulse(self, pulse: ClockPulse, at_s: float) -> None:
        """Does nothing: this clock does not follow MIDI clock."""
