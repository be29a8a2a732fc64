"""Settings that a person may choose, with their ranges and defaults: style, density, register, split, confidence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Style: TypeAlias = Literal[
    "auto",
    "bass",
    "block",
    "broken",
    "arpeggio",
    "oom-pah",
    "sustained",
    "waltz",
    "ballad",
    "march",
    "swing",
    "alberti",
    "stride",
    "pad",
    "tango",
]
STYLES: tuple[Style, ...] = get_args(Style)
Variation: TypeAlias = Literal[1, 2]
VARIATIONS: tuple[Variation, ...] = get_args(Variation)
LEAST_DENSITY, MOST_DENSITY = 0.25, 2.0
"""Limits of the density, a factor on how much the left hand plays."""
LOWEST_REGISTER, HIGHEST_REGISTER = -12, 12
"""Limits of the register, in semitones above the left hand's usual place."""
AS_FITTED = 0.5
"""The confidence at which a note must reach exactly the thresholds that are stored with the models."""
LEAST_CONFIDENCE, MOST_CONFIDENCE = 0.05, 0.95
"""Limits of the confidence that a note must have."""
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
"""Maps the letter of a note to its pitch class."""
_SIGNS = {"": 0, "#": 1, "b": -1}
"""Maps the sign behind the letter to the semitones by which it moves the note."""
KEYS: dict[str, int] = {
    f"{letter}{sign} {mode}": (pitch_class + moved) % 12 + first
    for first, mode in ((0, "major"), (12, "minor"))
    for letter, pitch_class in _LETTERS.items()
    for sign, moved in _SIGNS.items()
}
"""Maps the name of a musical key to its number: 0 to 11 are C major to B major, 12 to 23 are C minor to B minor."""
_KEY = re.compile(r"([a-g])[ -]?(#|♯|sharp|b|♭|flat)?[ -]?(major|maj|minor|min|m)?")
"""A key as people write it, in small letters. Without its mode it is a major key."""
KEY_FORM = 'a key such as "F major" or "C# minor", or "" so that the box finds it in the music'
MOST_SEED = 2**31 - 1
"""Largest seed of the random numbers."""
SPLIT = 55
"""The lowest MIDI pitch of the right hand (G3) if the settings give no other."""


def key_named(text: str) -> str | None:
    """Return the name in `KEYS` of the musical key that `text` names, such as "f minor", "B♭ major", "Fm" or "Bb".

    Capital letters count as small ones, with two exceptions. "FM" is no key: M stands for major in some books. A small
    letter alone is none either: it stands for a minor key in some. Return None if it is no key.
    """
    match = _KEY.fullmatch(" ".join(text.lower().split()))
    if match is None or text.rstrip().endswith("M") and match[3] == "m":
        return None
    letter, sign, mode = match.groups("")
    if not mode and text.lstrip()[0].islower():
        return None
    sign = {"♯": "#", "sharp": "#", "♭": "b", "flat": "b"}.get(sign, sign)
    return f"{letter.upper()}{sign} {'major' if not mode or mode.startswith('maj') else 'minor'}"


@dataclass(frozen=True, slots=True)
class Steering:
    """Holds the owner's choices of how the left hand plays. `density` is 0.25 to 2, `register` is -12 to 12 semitones.

    If `yields` is True, the left hand of the box is silent while the player's own left hand plays.
    """

    style: Style = "auto"
    density: float = 1.0
    register: int = 0
    yields: bool = True
    variation: int = 1
    """1 or 2: which variation of the style is played."""
    key: str = ""
    """A name of `KEYS`, or "" if the key is found in the music."""
    seed: int = 0
    """The seed of everything that is drawn at random."""


AS_THE_NET_PLAYS = Steering()
"""The steering that changes nothing in what the neural net plans."""
