"""Metres: the number of felt beats and grid steps in a bar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from device.errors import UserError

LISTED = ("2/4", "3/4", "4/4", "6/8")
"""The metres that the accompanist was trained on."""

_LARGEST = 64


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature: a bar has `beats` notated beats, and each beat is a 1/`beat_type` note.

    A felt beat is the beat to which people tap. 6/8 has two felt beats of six steps each, so a step is a sixteenth. In
    every other metre the felt beats are the notated beats, with four steps each. So a step is a sixteenth if the beat
    is a quarter. Raises UserError for numbers that are not a metre.
    """

    beats: int
    beat_type: int

    def __post_init__(self) -> None:
        power_of_two = self.beat_type > 0 and self.beat_type & (self.beat_type - 1) == 0
        if not (1 <= self.beats <= _LARGEST and power_of_two and self.beat_type <= _LARGEST):
            raise UserError(
                f"{self.beats}/{self.beat_type} is not a metre: write beats/note value, such as 3/4 or 6/8."
            )

    @classmethod
    def parse(cls, text: str) -> Meter:
        """The metre written as `text`, such as `"3/4"`; raises UserError if the text is not a metre."""
        match = re.fullmatch(r"\s*([0-9]{1,3})\s*/\s*([0-9]{1,3})\s*", text)
        if match is None:
            raise UserError(f"{text!r} is not a metre: write beats/note value, such as 3/4 or 6/8.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.beats}/{self.beat_type}"

    @property
    def compound(self) -> bool:
        """Whether a felt beat is three notated beats. True only for 6/8."""
        return (self.beats, self.beat_type) == (6, 8)

    @property
    def listed(self) -> bool:
        """Whether the accompanist was trained on this metre."""
        return str(self) in LISTED

    @property
    def warning(self) -> str | None:
        """One sentence for a metre of which the clock uses only the beats. None for a listed metre."""
        if self.listed:
            return None
        return f"The metre {self} is not one of {', '.join(LISTED)}: it is played by its {self.beats} beats a bar."

    @property
    def steps_per_beat(self) -> int:
        """Grid steps in a felt beat: 6 in 6/8, else 4."""
        return 6 if self.compound else 4

    @property
    def beats_per_bar(self) -> int:
        """Felt beats in a bar: 2 in 6/8, else the notated beats."""
        return 2 if self.compound else self.beats

    @property
    def steps_per_bar(self) -> int:
        """Grid steps in a bar."""
        return self.beats_per_bar * self.steps_per_beat

    @property
    def beat_quarters(self) -> Fraction:
        """Length of a felt beat in quarter notes: 3/2 in 6/8, 1 in 3/4, 2 in 2/2."""
        return Fraction(3, 2) if self.compound else Fraction(4, self.beat_type)

    @property
    def step_quarters(self) -> Fraction:
        """Length of a grid step in quarter notes."""
        return self.beat_quarters / self.steps_per_beat
