"""Settings that a person may choose, with their ranges and defaults: style, density, register, split, confidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Style: TypeAlias = Literal["auto", "bass", "block", "broken", "arpeggio", "oom-pah", "sustained"]
STYLES: tuple[Style, ...] = get_args(Style)
LEAST_DENSITY, MOST_DENSITY = 0.25, 2.0
"""Limits of the density, a factor on how much the left hand plays."""
LOWEST_REGISTER, HIGHEST_REGISTER = -12, 12
"""Limits of the register, in semitones above the left hand's usual place."""
AS_FITTED = 0.5
"""The confidence at which the gate uses the thresholds of the bundle unchanged."""
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.05, 0.95
"""Limits of the confidence that a note must have."""
SPLIT = 55
"""The lowest MIDI pitch of the right hand (G3) if the settings give no other."""


@dataclass(frozen=True, slots=True)
class Steering:
    """How the left hand plays. `density` is 0.25 to 2, `register` is in semitones from -12 to 12.

    `yields`: the left hand is silent while the player's own left hand plays.
    """

    style: Style = "auto"
    density: float = 1.0
    register: int = 0
    yields: bool = True


AS_THE_NET_PLAYS = Steering()
"""The steering that changes nothing of what the net plans."""
