"""Textures by name: what is struck where in the bar, in any metre.

Every style has a grain, how deep in the bar it strikes, and doubling the density deepens it by one:

    depth   0 bar   1 its half   2 beat, a third of one in 6/8   3 half a beat   4 any other step
"""

from __future__ import annotations

import math

from device.clock.step import Step
from device.left_hand.gesture import NOTHING, Gesture
from device.settings.choices import LEAST_DENSITY, MOST_DENSITY, Style

GRAIN: dict[Style, int] = {"bass": 1, "block": 1, "broken": 3, "arpeggio": 3, "oom-pah": 2, "sustained": 0}
CHORD_KEYS = 2
"""Keys above the bass in a chord: with it, a triad."""


def depth(step: Step) -> int:
    """How deep in the bar a step lies, 0 to 4."""
    meter = step.meter
    if step.is_bar:
        return 0
    if step.is_beat:
        return 1 if 2 * step.position == meter.steps_per_bar else 2
    if step.position % 2:
        return 4
    return 2 if meter.compound else 3


def begins_half(step: Step) -> bool:
    """Whether a bar or the second half of one begins here: a new chord begins a figure again only there."""
    return depth(step) <= 1


def on_beats(step: Step) -> int:
    """The deepest grain that strikes nothing between the beats."""
    return 1 if step.meter.compound else 2


def shift(density: float) -> int:
    """By how many grains a density deepens a style, -2 to 1."""
    return round(math.log2(min(max(density, LEAST_DENSITY), MOST_DENSITY)))


class Figure:
    """One style, step by step; it knows when it struck last."""

    def __init__(self, style: Style) -> None:
        """`style` is not "auto", which is `device.left_hand.texture.Texture`."""
        self.style = style
        self.reset()

    def reset(self) -> None:
        """Nothing was played."""
        self._since: int | None = None
        """Steps since the figure began: with a bass."""
        self._chord_age: int | None = None
        """Steps since oom-pah's chord, None where it is not down."""

    def at(self, step: Step, new_chord: bool, density: float, deepest: int = 4) -> Gesture:
        """What to strike; `new_chord` begins the figure anew, and nothing deeper than `deepest` is struck."""
        if self._since is not None:
            self._since += 1
        grain = min(max(self._grain(step) + shift(density), 0), deepest)
        begins = new_chord or self._since is None or depth(step) <= min(self._root_depth(step), grain)
        struck = begins or depth(step) <= grain
        if begins:
            self._since = 0
        gesture = self._struck(step, new_chord, begins, grain) if struck else NOTHING
        if self.style == "oom-pah":
            gesture = self._detached(step, gesture)
        return gesture

    def _grain(self, step: Step) -> int:
        """The style's grain; block chords come on every beat of a bar that has no half."""
        whole = self.style == "block" and step.meter.beats_per_bar % 2 == 1
        return on_beats(step) if whole else GRAIN[self.style]

    def _root_depth(self, step: Step) -> int:
        """Down to which depth the figure begins anew."""
        if self.style in ("bass", "block", "sustained"):
            return 4
        small = step.meter.beats_per_bar < 4 and not step.meter.compound
        by_bar = small if self.style == "oom-pah" else step.meter.compound and self.style == "arpeggio"
        return 0 if by_bar else 1

    def _struck(self, step: Step, new_chord: bool, begins: bool, grain: int) -> Gesture:
        number = (self._since or 0) // _unit(step, grain)
        if self.style == "bass":
            return Gesture(True, 0)
        if self.style == "block":
            return Gesture(True, CHORD_KEYS, lift=True)
        if self.style == "sustained":
            return Gesture(True, CHORD_KEYS, lift=True, pedal="anew")
        if self.style == "oom-pah":
            if begins:
                return Gesture(True, 0, lift=True, fifth=not new_chord and not step.is_bar)
            return Gesture(False, CHORD_KEYS, lift=True)
        if begins:
            return Gesture(True, 0, lift=True, pedal="anew" if self.style == "arpeggio" else "up")
        if self.style == "arpeggio":
            return Gesture(False, 1, tone=(1, 2, 3, 2)[(number - 1) % 4], pedal="down")
        rising = (1, 2) if step.meter.compound else (2, 1)
        return Gesture(False, 1, tone=rising[(number - 1) % 2])

    def _detached(self, step: Step, gesture: Gesture) -> Gesture:
        """The chord is let go half-way to where the next one would be."""
        if gesture.any:
            self._chord_age = 0 if gesture.upper else None
        elif self._chord_age is not None:
            self._chord_age += 1
            if self._chord_age >= (1 if step.meter.compound else 2):
                self._chord_age = None
                return Gesture(False, 0, lift=True)
        return gesture


def _unit(step: Step, grain: int) -> int:
    """Steps between strikes of a grain."""
    if grain >= 4:
        return 1
    return 2 if grain == 3 or (grain == 2 and step.meter.compound) else step.meter.steps_per_beat
