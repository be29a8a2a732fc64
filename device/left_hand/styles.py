"""Named styles: the keys struck at each step of the bar, in any metre.

Every step of the bar has a depth:

    depth   0 start of the bar   1 half of the bar   2 beat, or a third of a beat in 6/8   3 half a beat   4 other step

Every style has a grain. The grain is the greatest depth at which the style strikes. Doubling the density raises the
grain by one.
"""

from __future__ import annotations

import math

from device.clock.step import Step
from device.left_hand.gesture import NOTHING, Gesture
from device.settings.choices import LEAST_DENSITY, MOST_DENSITY, Style

GRAIN: dict[Style, int] = {"bass": 1, "block": 1, "broken": 3, "arpeggio": 3, "oom-pah": 2, "sustained": 0}
ON_HALF_BEATS = 3
"""The grain of a style that strikes on half beats too."""
CHORD_KEYS = 2
"""Number of keys above the bass in a chord. With the bass they make a triad."""


def depth(step: Step) -> int:
    """Return the depth of a step in its bar, from 0 at the bar line to 4 at the weakest steps.

    The table at the top of this file has all depths. Depth 1 needs a beat in the middle of the bar, so 3/4 has no step
    of depth 1.
    """
    meter = step.meter
    if step.is_bar:
        return 0
    if step.is_beat:
        return 1 if 2 * step.position == meter.steps_per_bar else 2
    if step.position % 2:
        return 4
    return 2 if meter.compound else 3


def begins_half(step: Step) -> bool:
    """Return whether a bar or the second half of a bar begins at `step`.

    A new chord makes a figure begin again only there.
    """
    return depth(step) <= 1


def on_beats(step: Step) -> int:
    """Return the greatest grain with which a style strikes nothing between the beats.

    The grain is the greatest depth at which a style strikes: see the table at the top of this file. The result is 1 in
    a compound metre (such as 6/8), because depth 2 there includes the thirds of a beat. It is 2 in every other metre.
    """
    return 1 if step.meter.compound else 2


def shift(density: float) -> int:
    """Return the number, -2 to 1, that a density adds to the grain of a style.

    The grain is the greatest depth at which a style strikes. The number is the rounded logarithm of `density` to base
    2.
    """
    return round(math.log2(min(max(density, LEAST_DENSITY), MOST_DENSITY)))


class Figure:
    """Plays one named style step by step, and keeps count of the steps since its figure began."""

    def __init__(self, style: Style) -> None:
        """`style` is one of `GRAIN`. `device.left_hand.patterns` has the bars of the later styles."""
        self.style = style
        self.reset()

    def reset(self) -> None:
        """Forget what was played: the figure begins again with a bass."""
        self._since: int | None = None
        """Steps since the figure began with a bass. None: it has not begun."""
        self._chord_age: int | None = None
        """Steps since the chord of the oom-pah style was struck. None: the chord is not down."""

    def at(self, step: Step, new_chord: bool, density: float, deepest: int = 4) -> Gesture:
        """Return the gesture at `step`. Call it once for each step, in order.

        `new_chord` starts the figure again. `density` is a factor on the number of strikes. Steps whose depth is
        greater than `deepest` are not struck, unless the figure starts there.
        """
        if self._since is not None:
            self._since += 1
        grain = min(max(self._grain(step, shift(density)), 0), deepest)
        begins = new_chord or self._since is None or depth(step) <= min(self._root_depth(step), grain)
        struck = begins or depth(step) <= grain
        if begins:
            self._since = 0
        gesture = self._struck(step, new_chord, begins, grain) if struck else NOTHING
        if self.style == "oom-pah":
            gesture = self._detached(step, gesture)
        return gesture

    def _grain(self, step: Step, change: int) -> int:
        """Return the grain of the style, the greatest depth at which it strikes, plus the number `change`.

        Block chords come on every beat of a bar that has an odd number of beats, because it has no half. So do
        sustained chords if the density is doubled.
        """
        odd = step.meter.beats_per_bar % 2 == 1
        if change > 0 and GRAIN[self.style] == 1 and step.meter.beats_per_bar == 2 and not step.meter.compound:
            # the beats of a bar of two are its halves
            return ON_HALF_BEATS
        if self.style == "sustained" and odd and change > 0:
            return on_beats(step)
        return (on_beats(step) if self.style == "block" and odd else GRAIN[self.style]) + change

    def _root_depth(self, step: Step) -> int:
        """Return the greatest depth at which the figure starts again."""
        if self.style in ("bass", "block", "sustained"):
            return 4
        small = step.meter.beats_per_bar < 4 and not step.meter.compound
        by_bar = small if self.style == "oom-pah" else step.meter.compound and self.style == "arpeggio"
        return 0 if by_bar else 1

    def _struck(self, step: Step, new_chord: bool, begins: bool, grain: int) -> Gesture:
        """Return the gesture of the style at a step at which it strikes. `begins`: the figure begins there."""
        number = (self._since or 0) // _unit(step, grain)
        if self.style == "bass":
            return Gesture(bass=True)
        if self.style == "block":
            return Gesture(bass=True, upper=CHORD_KEYS, lift=True)
        if self.style == "sustained":
            return Gesture(bass=True, upper=CHORD_KEYS, lift=True, pedal="change")
        if self.style == "oom-pah":
            if begins:
                return Gesture(bass=True, lift=True, fifth=not new_chord and not step.is_bar)
            return Gesture(upper=CHORD_KEYS, lift=True)
        if begins:
            return Gesture(bass=True, lift=True, pedal="change" if self.style == "arpeggio" else "up")
        if self.style == "arpeggio":
            return Gesture(upper=1, tone=(1, 2, 3, 2)[(number - 1) % 4], pedal="down")
        rising = (1, 2) if step.meter.compound else (2, 1)
        return Gesture(upper=1, tone=rising[(number - 1) % 2])

    def _detached(self, step: Step, gesture: Gesture) -> Gesture:
        """Return `gesture`, or the release of all keys if it is time to end an oom-pah chord.

        A chord ends two steps after it was struck, or one step after it in a compound metre. That is half-way to the
        next strike of the style in 4/4 or 6/8. If something is struck earlier, no release is added.
        """
        if gesture.any:
            self._chord_age = 0 if gesture.upper else None
        elif self._chord_age is not None:
            self._chord_age += 1
            if self._chord_age >= (1 if step.meter.compound else 2):
                self._chord_age = None
                return Gesture(lift=True)
        return gesture


def _unit(step: Step, grain: int) -> int:
    """Return the number of steps between two strikes of a style that strikes down to the depth `grain`."""
    if grain >= 4:
        return 1
    return 2 if grain == 3 or (grain == 2 and step.meter.compound) else step.meter.steps_per_beat
