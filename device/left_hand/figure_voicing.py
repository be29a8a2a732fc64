"""A figure's notes put on a chord: which keys they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.left_hand.figure_bank import FigureNote
from device.left_hand.figure_player import FigureStrike

LOWEST, HIGHEST = 28, 67
"""E1 and G4: a left hand of the corpora lies between them."""
WIDEST, MOST_KEYS = 16, 5
BASS_HEIGHT = 4
"""A note this high or lower above its bar's bass, in semitones, is a bass note: it keeps its degree of the chord."""
OCTAVE = 12
LIFT = 1.0
"""Share of the figure's own bass line that is kept; the chords make the rest of it."""
ABOVE_BASS = 8
"""A bass lies at least so many semitones below the lowest key of the right hand, or goes down an octave."""
NEAR = 0.3
"""Cost of a semitone from the bass before, beside 1 for one from the figure's own place."""
NOT_ROOT, NOT_ROOT_ASKED = (0.0, 8.0, 6.0), 0.3
"""Semitones that a bass may move to be the root and not the third or fifth; factor if the figure has that degree."""
DEGREE = 2.5
"""Semitones that a note may move to keep its degree of the chord."""
UNLIKELY = 6.0
"""Semitones that an upper note may move for a tone that is e times as likely."""
UNLIKELY_BASS = 4.0
"""Semitones that a bass may move for a bass that the accompanist finds e times as likely."""
CONSONANT, CONSONANT_BASS = 16.0, 12.0
"""Semitones that an upper note, and a bass, may move for one more of consonance with the melody."""
RUB_COST = 6.0
"""Semitones that a note may move so as to be no semitone from a melody key that is heard."""
STALE = 8.0
"""Semitones that an upper note may move for a tone that has not sounded in this beat: so a beat tells its chord."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a figure is put on.

    `classes` are the chord's pitch classes: root, third, fifth and perhaps seventh. `likely` [12] is the probability of
    each pitch class, `consonance` [12] what is expected of it with the melody. `top` is the melody's highest key that
    is known to sound, None for none. `ceiling` is the lowest key that belongs to the right hand. `sounded` holds the
    pitch classes that the hand has played since the beat began. `basses` [13] is the probability of each bass.
    """

    classes: Sequence[int]
    likely: Array
    consonance: Array
    top: int | None
    ceiling: int
    sounded: frozenset[int] = frozenset()
    basses: Array | None = None


def base_of(struck: FigureStrike, degree: int, before: int | None, ground: Ground, register: int = 0) -> int:
    """The key on which a bar's bass lies.

    It lies near the figure's own place and near the bass `before` it, on the root or on the figure's own `degree` of
    the chord, and an octave lower if the bar has no room above it.
    """
    low = LOWEST + register
    target = max(struck.anchor + register + LIFT * struck.lift, low)
    while target > ground.ceiling - ABOVE_BASS and target - 12 >= low:
        target -= 12
    return _bass(target, degree, before, ground, low)


def _bass(target: int | float, degree: int, before: int | None, ground: Ground, low: int) -> int:
    """The root, or the third or fifth where the figure has it, near `target` and near the bass `before`."""
    best, least = low, np.inf
    for key in range(low, min(HIGHEST, ground.ceiling - 1) + 1):
        place = [i for i, pitch_class in enumerate(ground.classes[:3]) if pitch_class == key % 12]
        if not place:
            continue
        cost = abs(key - target) + NOT_ROOT[place[0]] * (NOT_ROOT_ASKED if place[0] == degree else 1.0)
        cost += 0.0 if before is None else NEAR * abs(key - before)
        cost -= CONSONANT_BASS * float(ground.consonance[key % 12])
        if ground.basses is not None:
            cost -= UNLIKELY_BASS * float(np.log(ground.basses[key % 12] + 0.02))
        if cost < least:
            best, least = key, cost
    return best


def keys_of(notes: Sequence[FigureNote], base: int, ground: Ground, low: int = LOWEST) -> dict[int, int]:
    """Key -> length in steps, for the notes of one strike in a bar whose bass lies at `base`."""
    found: dict[int, int] = {}
    lowest: tuple[int, int] | None = None
    for note in sorted(notes, key=lambda n: n.height):
        target = base + note.height
        if lowest is not None and note.height - lowest[1] == 12:
            key: int | None = lowest[0] + 12
        elif note.height <= BASS_HEIGHT and lowest is None:
            key = (
                base
                if note.height == 0 and base % 12 in ground.classes
                else _bass(target, note.degree, base, ground, low)
            )
        else:
            key = _upper(target, note.degree, ground, found, low)
            if key is None and not found:
                key = _upper(min(target, ground.ceiling - OCTAVE), note.degree, ground, found, low)
        if key is None or key in found or key >= ground.ceiling or key > HIGHEST:
            continue
        if lowest is not None and key - lowest[0] > WIDEST:
            continue
        if len(found) < MOST_KEYS:
            found[key] = note.length
        lowest = lowest or (key, note.height)
    return found


def _tone(classes: Sequence[int], degree: int) -> int:
    return classes[degree] if degree < 3 else classes[0]


def _upper(target: int, degree: int, ground: Ground, taken: dict[int, int], low: int) -> int | None:
    """The chord tone near `target` that suits best."""
    best, least = None, np.inf
    above = max(taken, default=low - 1)
    for key in range(max(low, target - 7, above + 1), min(target + 7, ground.ceiling - 1, HIGHEST) + 1):
        pitch_class = key % 12
        if pitch_class not in ground.classes:
            continue
        cost = abs(key - target) - UNLIKELY * float(np.log(ground.likely[pitch_class] + 0.02))
        cost -= CONSONANT * float(ground.consonance[pitch_class])
        if _tone(ground.classes, degree) == pitch_class:
            cost -= DEGREE
        if pitch_class in ground.sounded or any(other % 12 == pitch_class for other in taken):
            cost += STALE
        if ground.top is not None:
            cost += RUB_COST if (ground.top - key) % 12 in (1, 11) else 0.0
        if cost < least:
            best, least = key, cost
    return best
