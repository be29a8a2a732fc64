"""Describes metres (time signatures): the number of felt beats and grid steps in a bar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from device.errors import UserError
from device.printable import shortened

LISTED = ("2/4", "3/4", "4/4", "6/8")
"""The metres that the accompanist was trained on."""

LARGEST = 64
"""Largest number of beats in a bar, and largest note value (the lower number). No printed music goes beyond."""

LARGEST_OF_GROUPS = 10
"""Largest even number of beats in a metre of `Meter.groups` that is not two equal halves. 10/8 is 3 + 3 + 2 + 2."""


@dataclass(frozen=True, slots=True)
class Meter:
    """A time signature: a bar has `beats` notated beats, and each beat is a 1/`beat_type` note.

    A felt beat is the beat to which people tap: three notated beats in 6/8, 9/8 and 12/8, and the notated beat in every
    other metre. The clock counts and reports felt beats. A step of the grid is a sixteenth if the beat is a quarter or
    longer, and in all metres of eighths. In metres of shorter notes it is half a notated beat, or a whole one where the
    beats are counted in pairs. The left hand may play a metre as another one, or in groups of two and three beats: see
    `played` and `groups`. Raises UserError for numbers that are not a metre.
    """

    beats: int
    beat_type: int

    def __post_init__(self) -> None:
        power_of_two = self.beat_type > 0 and self.beat_type & (self.beat_type - 1) == 0
        if not (1 <= self.beats <= LARGEST and power_of_two and self.beat_type <= LARGEST):
            raise UserError(
                f"{self.beats}/{self.beat_type} is not a metre: write beats/note value, such as 3/4 or 6/8."
            )

    @classmethod
    def parse(cls, text: str) -> Meter:
        """Return the metre written as `text`, such as `"3/4"`. Raises UserError if the text is not a metre."""
        match = re.fullmatch(r"\s*([0-9]{1,3})\s*/\s*([0-9]{1,3})\s*", text)
        if match is None:
            raise UserError(f"{shortened(text)!r} is not a metre: write beats/note value, such as 3/4 or 6/8.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.beats}/{self.beat_type}"

    @property
    def compound(self) -> bool:
        """Whether a felt beat is three notated beats, as in 6/8, 9/8, 12/8 and 6/16."""
        return self.beat_type >= 8 and self.beats >= 6 and self.beats % 3 == 0

    @property
    def listed(self) -> bool:
        """Whether the accompanist was trained on this metre."""
        return str(self) in LISTED

    @property
    def played(self) -> Meter:
        """The metre in which the left hand plays the same steps. Most metres are played as they are.

        12/8 is played as two bars of 6/8, 3/8 as half a bar of 6/8, 2/2 as 4/4, 4/2 as two bars of 4/4, and 3/2 and 6/2
        as bars of 2/4, one for each half note. 6/16 is played as 6/8, with a step of half the length. 6/4, 9/4 and
        12/4 are played as bars of 3/4. In metres of eighths or shorter notes with 2, 4, 8, 16 or more beats two beats
        count as one: 2/8, 4/8 and 8/16 are played as 2/4, 8/8 and 16/16 as 4/4. A metre with `groups` is played in
        bars of two metres, and this is the metre itself.
        """
        if self.compound:
            return Meter(6, 8) if self.beats % 6 == 0 else self
        if self.beats == 3 and self.beat_type >= 8:
            return Meter(6, 8)
        if _in_pairs(self.beats, self.beat_type):
            return Meter(4 if self.steps_per_bar >= 16 else 2, 4)
        if self.beat_type == 4 and self.beats > 3 and self.beats % 3 == 0:
            return Meter(3, 4)
        quarters = self.beats * 4 // self.beat_type
        if self.beat_type > 2 or quarters > LARGEST:
            return self
        in_halves = self.beat_type == 2 and (self.beats % 2 == 1 or self.beats % 3 == 0)
        return Meter(2 if in_halves else 4, 4)

    @property
    def groups(self) -> tuple[int, ...]:
        """The numbers of notated beats, 3 or 2, in which an uneven metre of eighths or shorter notes is played.

        5/8 is 3 + 2, 7/8 is 3 + 2 + 2, and 13/16 is 3 + 3 + 3 + 2 + 2. A longer even metre is two halves: 14/8 is twice
        7/8. Empty for every other metre. A score may group them in another order, which a signature does not tell.
        """
        return _groups(self.beats, self.beat_type)

    @property
    def warning(self) -> str | None:
        """A sentence naming the groups of this metre, or saying that only its beats are used; None if it is known."""
        if self.groups:
            return f"The metre {self} is played in groups of {' + '.join(map(str, self.groups))}."
        if self.played.listed:
            return None
        beats = "one beat" if self.beats_per_bar == 1 else f"{self.beats_per_bar} beats"
        return f"The metre {self} is not one of {', '.join(LISTED)}: it is played by its {beats} a bar."

    @property
    def steps_per_beat(self) -> int:
        """Number of grid steps in a felt beat: 6 if it is dotted, 4 if it is a quarter, 8 if it is a half note.

        A beat that is an eighth or shorter has 2 steps, or 1 if it is shorter than an eighth and counted in pairs.
        """
        return _steps_per_beat(self.beats, self.beat_type)

    @property
    def beats_per_bar(self) -> int:
        """Number of felt beats in a bar: 2 in 6/8, 3 in 9/8, 4 in 12/8, else the notated beats."""
        return _beats_per_bar(self.beats, self.beat_type)

    @property
    def steps_per_bar(self) -> int:
        """Number of grid steps in a bar."""
        return self.beats_per_bar * self.steps_per_beat

    @property
    def beat_quarters(self) -> Fraction:
        """Length of a felt beat in quarter notes: 3/2 in 6/8, 1 in 3/4, 2 in 2/2."""
        return Fraction(12 if self.compound else 4, self.beat_type)

    @property
    def step_quarters(self) -> Fraction:
        """Length of a grid step in quarter notes."""
        return self.beat_quarters / self.steps_per_beat


def _in_pairs(beats: int, beat_type: int) -> bool:
    """Return whether two beats of the metre count as one: in 2/8, 4/8, 8/8, 8/16 and so on."""
    return beat_type >= 8 and beats & (beats - 1) == 0


@cache
def _groups(beats: int, beat_type: int) -> tuple[int, ...]:
    """Return `Meter.groups`, computed once for a metre."""
    if beat_type < 8 or beats % 3 == 0 or beats < 5 or _in_pairs(beats, beat_type):
        return ()
    if beats % 2 == 0 and beats > LARGEST_OF_GROUPS:
        return 2 * _groups(beats // 2, beat_type)
    threes = beats // 3
    while (beats - 3 * threes) % 2:
        threes -= 1
    return (3,) * threes + (2,) * ((beats - 3 * threes) // 2)


@cache
def _steps_per_beat(beats: int, beat_type: int) -> int:
    """Return `Meter.steps_per_beat`. It is asked for many times at each step, so it is computed once for a metre."""
    if Meter(beats, beat_type).compound:
        return 6
    if beat_type < 8:
        return 16 // beat_type
    return 1 if beat_type > 8 and _in_pairs(beats, beat_type) else 2


@cache
def _beats_per_bar(beats: int, beat_type: int) -> int:
    """Return `Meter.beats_per_bar`, computed once for a metre."""
    return beats // 3 if Meter(beats, beat_type).compound else beats
