"""Decides when the left hand strikes and with how many keys: turns the net's probabilities into regular strikes."""

from __future__ import annotations

from dataclasses import replace

from device.clock.step import Step
from device.left_hand.accompanist import Plan
from device.left_hand.gesture import NOTHING, Gesture
from device.left_hand.imitation import Manner
from device.left_hand.patterns import DENSE, SPARSE, VARIATIONS, PatternFigure, fill_of
from device.left_hand.styles import Figure, begins_half, on_beats
from device.settings.choices import Style, Variation

BASS_FROM, UPPER_FROM = 0.25, 0.18
"""Thresholds of the probability of a strike: for the bass, and for the upper keys."""
PATIENCE = 0.08
"""The threshold falls by this for each owed strike. Owed strikes are the sum of probabilities minus the strikes."""
MOST_OWED = 1.5
"""Strikes. The number of owed strikes stays between minus this and this."""
MANY = 0.4
"""Two upper keys are struck if their probability is at least this share of the probability of any upper key."""
RESTRIKE_BEATS = 4
"""Beats. After this time, or a bar if that is shorter, the bass is struck again."""
THIN_LOCK, LOST_LOCK = 0.6, 0.3
"""Limits of the clock's trust in its beat, 0..1.

Below the first, strikes come only on beats. Below the second, only the bass is struck, on beats.
"""


class _Voice:
    """Decides when the bass, or the upper keys, are struck: on average as often as the probabilities add up to."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.owed = 0.0

    def strikes(self, probability: float, density: float) -> bool:
        wanted = min(probability * density, 1.0)
        self.owed = min(max(self.owed + wanted, -MOST_OWED), MOST_OWED)
        return wanted > 0.1 and wanted + PATIENCE * self.owed >= self._threshold

    def struck(self) -> None:
        self.owed = max(self.owed - 1.0, -MOST_OWED)


class Texture:
    """Turns plans into gestures and remembers its own strikes. `density` is a factor on the strike probabilities."""

    def __init__(self, density: float = 1.0) -> None:
        self.density = density
        self.reset()

    def reset(self) -> None:
        """Forget everything played, and the strikes that are owed."""
        self._bass, self._upper = _Voice(BASS_FROM), _Voice(UPPER_FROM)
        self._since: int | None = None
        self._chord: tuple[int, ...] = ()

    def at(self, plan: Plan, step: Step) -> Gesture:
        """Return what is struck at `step`, by the probabilities of `plan`.

        If `plan` is silent or has no chord, strike nothing and forget what was played.
        """
        if plan.silent or plan.chord is None:
            self.reset()
            return NOTHING
        thin, lost = plan.lock < THIN_LOCK, plan.lock < LOST_LOCK
        bass = self._bass.strikes(plan.strike_bass, self.density)
        upper = self._upper.strikes(plan.strike_upper, self.density) and not lost
        if thin and not step.is_beat:
            bass = upper = False
        if self._since is None or self._changed(plan, step) or self._overdue(step):
            bass = True
        self._since = 1 if bass or upper or self._since is None else self._since + 1
        if bass:
            self._bass.struck()
        if upper:
            self._upper.struck()
        many = plan.strike_many >= MANY * max(plan.strike_upper, 1e-3)
        return Gesture(bass=bass, upper=(2 if many else 1) if upper else 0)

    def _changed(self, plan: Plan, step: Step) -> bool:
        assert plan.chord is not None
        triad = plan.chord.classes[:3]
        changed = step.is_beat and triad != self._chord
        if changed:
            self._chord = triad
        return changed

    def _overdue(self, step: Step) -> bool:
        beats = min(RESTRIKE_BEATS, max(step.meter.beats_per_bar, 2))
        return (self._since or 0) >= beats * step.meter.steps_per_beat


class SteeredTexture:
    """Plays the chosen texture: a named style, or the player's own learned pattern, or else the net's texture.

    `style`, `variation`, `density` (a factor, 0.25 to 2), `filling` and `manner` may be changed at any time. A change
    takes effect at the next step.
    """

    def __init__(self, style: Style = "auto", density: float = 1.0) -> None:
        self.style, self.density = style, density
        self.variation: Variation = 1
        self.filling = False
        """Whether the fill of the style is played."""
        self.manner: Manner | None = None
        self._auto = Texture(density)
        self._figure: Figure | PatternFigure | None = None
        self._chosen: tuple[Style, Variation] = (style, 1)
        """Style and variation of `_figure`."""
        self._chord: tuple[int, ...] | None = None

    def reset(self) -> None:
        """Forget everything played, and the learned pattern."""
        self.manner = None
        self._rest()

    @property
    def named(self) -> bool:
        """Whether a named style, a fill or a learned pattern decides which keys are held, and not the net."""
        return self.style != "auto" or self.filling or self.manner is not None

    def at(self, plan: Plan, step: Step) -> Gesture:
        """Return what the chosen texture strikes at `step`.

        If `plan` is silent or has no chord, strike nothing and begin again. Where the clock is unsure of its beat, the
        hand strikes less, see `THIN_LOCK`.
        """
        if plan.silent or plan.chord is None:
            self._rest()
            return NOTHING
        learned = self.manner is not None and self.manner.meter == step.meter
        if self.style == "auto" and not self.filling and not learned:
            self._auto.density = self.density
            return self._auto.at(plan, step)
        chord = plan.chord.classes[:3]
        new = self._chord is None or (begins_half(step) and chord != self._chord)
        if new:
            self._chord = chord
        deepest = on_beats(step) if plan.lock < THIN_LOCK else 4
        gesture = self._source().at(step, new, self.density, deepest)
        if plan.lock < LOST_LOCK and gesture.upper:
            return replace(gesture, upper=0, tone=None)
        return gesture

    def _source(self) -> Figure | PatternFigure | Manner:
        if self.filling:
            return PatternFigure(self.style, fill_of(self.style))
        if self.style == "auto":
            assert self.manner is not None
            return self.manner
        if self._figure is None or self._chosen != (self.style, self.variation):
            self._figure, self._chosen = figure_of(self.style, self.variation), (self.style, self.variation)
        return self._figure

    def _rest(self) -> None:
        self._auto.reset()
        self._figure = None
        self._chord = None


def figure_of(style: Style, variation: Variation) -> Figure | PatternFigure:
    """Return the object that plays a variation of a style, step by step. `style` is any style but "auto"."""
    chosen = style, variation
    bars = VARIATIONS.get(chosen)
    return Figure(style) if bars is None else PatternFigure(style, bars, DENSE.get(chosen), SPARSE.get(chosen))
