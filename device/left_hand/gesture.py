"""What the hand does at one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Pedal: TypeAlias = Literal["up", "down", "anew"]
"""The sustain pedal from a strike on; "anew": lifted with it, and taken again."""


@dataclass(frozen=True, slots=True)
class Gesture:
    """What is struck at a step: the bass, and how many keys above it (0 to 4)."""

    bass: bool
    upper: int
    tone: int | None = None
    """Which of the chord's tones above the bass, from 1, a single upper key is; None: the likeliest ones."""
    fifth: bool = False
    """The bass is the chord's fifth."""
    lift: bool = False
    """All that is down is let go first."""
    pedal: Pedal | None = None
    """None: as it was."""

    @property
    def any(self) -> bool:
        """Whether anything is struck."""
        return self.bass or self.upper > 0


NOTHING = Gesture(False, 0)
