"""Describes what the hand does at one step: the keys that it strikes or releases, and the pedal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Pedal: TypeAlias = Literal["up", "down", "change"]
"""Position of the sustain pedal after a strike. "change": it goes up at the strike and down again shortly after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gesture:
    """Says what is struck at one step. Without arguments, nothing is."""

    bass: bool = False
    """Whether the bass key is struck."""
    upper: int = 0
    """Number of keys above the bass that are struck, 0 to 4."""
    tone: int | None = None
    """Number of the chord tone above the bass, from 1, for a single upper key. None: the likeliest tones are struck."""
    fifth: bool = False
    """Whether the bass is the fifth of the chord."""
    lift: bool = False
    """Whether all keys that are down are released first."""
    pedal: Pedal | None = None
    """None: the pedal stays as it is."""
    walks: bool = False
    """Whether the bass is the next key of a walking bass."""

    @property
    def any(self) -> bool:
        """Whether anything is struck."""
        return self.bass or self.upper > 0


NOTHING = Gesture()
