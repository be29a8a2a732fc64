"""Decides when the left hand strikes its closing chord: after a last note, after a stop, or when it is asked to end."""

from __future__ import annotations

from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.harmony import Chord
from device.left_hand.net_input import NEVER

LAST_NOTE_BEATS = 4
"""Beats. A note of the tonic chord is the last note if it is held for this time and for at least a bar.

The left hand then plays the tonic chord once and holds it. If the player has slowed down and the note is the tonic, one
beat is enough.
"""
EARLY_STEPS = 0.5
"""Grid steps by which that beat may be too short: the notes of a player who slows down lie a little beside the steps.
"""
NEW_STEPS = 0.5
"""Grid steps. If the age of the player's latest onset has grown by less in a step, a key was struck in the step."""


class ClosingChord:
    """Follows the plans step by step. Nothing is struck after the closing chord until the player goes on."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the closing chord, and an ending that was asked for."""
        self.closed = False
        """Whether the closing chord was struck, and nothing may follow it."""
        self.with_player = False
        """Whether the closing chord ends when the player's last key goes up."""
        self._asked = False
        """Whether the player has asked for an ending that has not begun."""
        self._age_steps = 0.0
        """Steps from the player's latest onset to the closing chord."""
        self._stops_at: int | None = None
        """Grid step at which the left hand stops after the ending that the player asked for."""
        self._last: Chord | None = None
        """The chord of the player's last notes."""
        self._last_top = -1
        """Pitch class of the highest key that was down when the player last struck one, -1 before the first note."""
        self._before: tuple[Chord | None, float] = None, NEVER
        """At the step before: the chord, and the steps since the player's latest onset."""

    def ask(self) -> None:
        """End at the next bar line: the closing chord sounds for a bar, and then the left hand stops."""
        self._asked = True

    def stops(self, step: Step) -> bool:
        """Return whether the left hand stops at `step`, because the ending that was asked for is over."""
        if self._stops_at is None or step.index < self._stops_at:
            return False
        self._stops_at, self.closed = None, False
        return True

    def at(self, plan: Plan, step: Step, at_home: bool, slows: bool) -> bool:
        """Return whether the closing chord is struck at `step`. Call it once for each step, in order.

        It is struck if the player holds a last note, or has stopped. In the first case it is held as long as the
        player's note. The chord is the tonic if the player's last highest key is a tone of it, and else the chord of
        the player's last notes: `plan.chord` becomes that chord. `at_home` says that the player's last highest key was
        the tonic, and `slows` that the player has slowed down.
        """
        self._listen(plan, step)
        if self._stops_at is not None:
            self.closed = True
            return False
        if self._asked and step.is_bar:
            return self._ends_now(plan, step)
        lasts = plan.age_steps >= self._least_steps(step, slows and at_home)
        if plan.silent or not (lasts or plan.ends):
            self.closed = self.with_player = False
            return False
        holds_tonic = plan.tonic is not None and plan.top is not None and plan.top % 12 in plan.tonic.classes
        if self.closed or not step.is_beat or not (holds_tonic or plan.ends):
            return False
        # the chord that is expected in the silence is a guess that the player has not made
        suits = holds_tonic or (plan.tonic is not None and self._last_top in plan.tonic.classes)
        plan.chord = plan.tonic if suits else self._last or plan.chord
        self.closed, self.with_player, self._age_steps = True, plan.top is not None, plan.age_steps
        return True

    def _listen(self, plan: Plan, step: Step) -> None:
        """Keep the highest key of the player's latest onset, and the chord that held until a beat after it.

        A chord's keys go up one after the other, so the key that is the highest a moment later may be an inner one. A
        plan knows the keys of the step before, so the chord is the one of that step.
        """
        chord, age_steps = self._before
        if plan.top is not None:
            if plan.age_steps < age_steps + NEW_STEPS:
                self._last_top = plan.top % 12
            if plan.age_steps <= step.meter.steps_per_beat and chord is not None:
                self._last = chord
        self._before = plan.chord, plan.age_steps

    @property
    def answers_silence(self) -> bool:
        """Whether the closing chord answers a player who has let go, and no ending was asked for."""
        return self.closed and not self.with_player and self._stops_at is None

    def take_back(self) -> None:
        """Record that no key of the closing chord could be struck."""
        self.closed = False

    def _ends_now(self, plan: Plan, step: Step) -> bool:
        """Begin the ending that was asked for. Return whether the closing chord is struck: not in a silence."""
        self._asked, self.closed, self.with_player = False, not plan.silent, False
        self._stops_at = step.index + (0 if plan.silent else step.meter.steps_per_bar)
        if plan.tonic is not None:
            plan.chord = plan.tonic
        return self.closed

    def _least_steps(self, step: Step, slows_at_home: bool) -> float:
        """Return for how many steps the player's latest onset must have been held to be the last note.

        While the closing chord sounds, a note as old as the one to which it was struck is enough.
        """
        meter = step.meter
        if slows_at_home:
            return meter.steps_per_beat - EARLY_STEPS
        least = float(max(meter.steps_per_bar, LAST_NOTE_BEATS * meter.steps_per_beat))
        return min(least, self._age_steps) if self.closed else least
