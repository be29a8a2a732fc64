"""When the left hand strikes and with how many keys: the net's probabilities made regular."""

from __future__ import annotations

from dataclasses import dataclass

from device.accompanist import Plan
from device.clock import Step

BASS_FROM, UPPER_FROM = 0.25, 0.18
"""Strike where it is at least this likely."""
PATIENCE = 0.12
"""How much the threshold falls for each strike that is owed."""
MOST_OWED = 1.5
MANY = 0.4
"""Two upper keys together where they are this likely, given that one is struck."""
RESTRIKE_BEATS = 4
"""Nothing is held longer than a bar, or than this, without a new strike."""
THIN_LOCK, LOST_LOCK = 0.6, 0.3
"""Below the one nothing is struck off the beat, below the other nothing but bass notes on the beat."""


@dataclass(frozen=True, slots=True)
class Touch:
    """What is struck at a step: the bass, and how many keys above it (0 to 3)."""

    bass: bool
    upper: int

    @property
    def any(self) -> bool:
        return self.bass or self.upper > 0


NOTHING = Touch(False, 0)


class _Voice:
    """Strikes where a probability is high, as often as the probabilities say."""

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
    """Turns plans into touches; it knows its own past. `density` scales how much is played."""

    def __init__(self, density: float = 1.0) -> None:
        self._density = density
        self.reset()

    def reset(self) -> None:
        """Nothing was played."""
        self._bass, self._upper = _Voice(BASS_FROM), _Voice(UPPER_FROM)
        self._since: int | None = None
        self._chord: tuple[int, ...] = ()

    def step(self, plan: Plan, step: Step) -> Touch:
        """What to strike at this step."""
        if plan.silent or plan.chord is None:
            self.reset()
            return NOTHING
        thin, lost = plan.lock < THIN_LOCK, plan.lock < LOST_LOCK
        bass = self._bass.strikes(plan.strike_bass, self._density)
        upper = self._upper.strikes(plan.strike_upper, self._density) and not lost
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
        return Touch(bass, (2 if many else 1) if upper else 0)

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
