"""Finds the keys for the notes of a figure on a given chord."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import numpy.typing as npt

from device.events import LOWEST_KEY
from device.left_hand.figure_bank import FigureNote
from device.left_hand.figure_player import FigureStrike

LOWEST, HIGHEST = 28, 67
"""E1 and G4: a left hand of the corpora lies between them."""
WIDEST, MOST_KEYS = 16, 5
BASS_HEIGHT = 4
"""Semitones. A note at most this far above its bar's bass is a bass note and keeps its degree of the chord."""
OCTAVE = 12
LIFT = 1.0
"""Share of the figure's own bass line that is kept. The chords decide the rest of the line."""
ABOVE_BASS = 8
"""Semitones. A bass that is not so far below the right hand's lowest key goes down: in songs as far as it must, else an
octave.
"""
NEAR = 0.6
"""Cost of a semitone of distance from the bass before. A semitone from the figure's own place costs 1."""
NOT_ROOT, SONG_NOT_ROOT, NOT_ROOT_ASKED = (0.0, 4.0, 3.0), (0.0, 30.0, 28.0), 0.3
"""Costs of the root, the third and the fifth as bass; the same in songs; and a factor on them if the figure has that
degree as its bass.

All costs below count in semitones of distance. In songs, the bass is more often the root.
"""
RAISE, SONG_RAISE = 2, 3
"""Semitones that are added to a figure's own place; the same in songs. The right hand above often moves it down again.
"""
SIXTH = 30.0
"""Cost of a sixth between two keys of a strike, in songs. Real left hands in songs hardly ever have one.

A key that `telling_key` adds never makes one there.
"""
DEGREE = 2.5
"""Gain of a note that keeps its degree of the chord."""
UNLIKELY, SONG_UNLIKELY = 15.0, 8.0
"""Gain of an upper note that is e times as likely; the same in songs."""
UNLIKELY_BASS = 4.0
"""Gain of a bass that the accompanist finds e times as likely."""
CONSONANT, SONG_CONSONANT, CONSONANT_BASS, SONG_CONSONANT_BASS = 35.0, 4.0, 35.0, 2.0
"""Gain of an upper note, and of a bass, for each unit of consonance with the melody; each also in songs."""
RUB_COST = 6.0
"""Cost of a note that lies a semitone, by pitch class, from a melody key that is heard."""
STALE, SONG_STALE = 20.0, 8.0
"""Cost of an upper note whose pitch class has sounded in this beat, so that its tones differ; the same in songs."""
TELLS, TELLS_MINOR = (0.0, 4.0, 2.0), (4.0, 8.0, 4.0)
"""Gain of the root, the third and the fifth if none has sounded in this beat, in major and in minor.

A minor triad is not known before all three sound: without its root or its fifth it may be part of a major triad.
"""
TELLING_THIRD = 4.0
"""Gain of the third as the key that `telling_key` adds, because the third says whether the triad is major or minor."""
SIXTHS = (8, 9)
"""Semitones of the two sixths, without octaves."""
ROOM, LOW_ROOM, LOW = 3, 5, 48
"""Least distance in semitones from the lowest key to the key that `telling_key` adds.

The second value holds if the lowest key is below the MIDI pitch `LOW`, because low thirds sound muddy.
"""
ABOVE, SPREAD = 4, 0.5
"""The key that `telling_key` adds lies about so many semitones above the strike's highest key, if there is room.

The second value is the cost of each semitone from there.
"""
BELOW, FURTHEST_BELOW = 5.0, 12
"""Additional cost of a key that `telling_key` adds below the lowest key, and how far below it may lie, in semitones.

Such a key is added if a low right hand leaves no room above, or if no tone above is as consonant. Songs get none: there
it did not make more chords clear.
"""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ground:
    """Holds the chord and the melody for which the keys are chosen.

    `classes` are the chord's pitch classes: root, third, fifth and perhaps seventh. `likely` [12] is the probability of
    each pitch class. `consonance` [12] is its expected consonance with the melody, -1 to 1. `top` is the melody's
    highest key that is known to sound, or None. `ceiling` is the lowest key that belongs to the right hand. `sounded`
    holds the pitch classes that the hand has played since the beat began. `basses` [13] is the probability of each
    bass. `song` says that the figure was drawn from the statistics of songs.
    """

    classes: Sequence[int]
    likely: Array
    consonance: Array
    top: int | None
    ceiling: int
    sounded: frozenset[int] = frozenset()
    basses: Array | None = None
    song: bool = False


def base_of(struck: FigureStrike, degree: int, before: int | None, ground: Ground, register: int = 0) -> int:
    """Return the MIDI pitch of a bar's bass.

    It lies near the figure's own place and near the bass `before`. It is the root or the figure's own `degree` of the
    chord. It lies lower if there is no room below the right hand: an octave, or in songs as far as it must, because the
    bass of a song hardly ever leaps further than an octave. `register` moves this place by semitones, up only as far
    as there is room.
    """
    highest, low = ground.ceiling - ABOVE_BASS, lowest_key(register)
    place = max(struck.anchor + LIFT * struck.lift + (SONG_RAISE if struck.song else RAISE), LOWEST)
    if struck.song:
        place = max(min(place, highest), LOWEST)
    while place > highest and place - OCTAVE >= LOWEST:
        place -= OCTAVE
    target = max(place + register, low) if register < 0 else max(min(place + register, highest), place)
    return _bass(target, degree, before, ground, low)


def lowest_key(register: int) -> int:
    """Return the lowest MIDI pitch of a figure at a register in semitones. No piano has a key below `LOWEST_KEY`.

    A hand that is moved up may still go down to its usual lowest key if there is no room below the right hand.
    """
    return max(LOWEST + min(register, 0), LOWEST_KEY)


def _bass(target: int | float, degree: int, before: int | None, ground: Ground, low: int) -> int:
    """Return the MIDI pitch of the bass: the tone of the triad with the least cost, not below the key `low`.

    A key far from `target` or from `before` costs more. The figure asks for the tone of the triad with number `degree`,
    so this tone costs less than the others. Returns `low` if there is no room.
    """
    found: list[tuple[float, int]] = []
    for place, pitch_class in enumerate(ground.classes[:3]):
        inverted = (SONG_NOT_ROOT if ground.song else NOT_ROOT)[place]
        fixed = inverted * (NOT_ROOT_ASKED if place == degree else 1.0)
        fixed -= (SONG_CONSONANT_BASS if ground.song else CONSONANT_BASS) * float(ground.consonance[pitch_class])
        if ground.basses is not None:
            fixed -= UNLIKELY_BASS * log(float(ground.basses[pitch_class]) + 0.02)
        first = low + (pitch_class - low) % 12
        for key in range(first, min(HIGHEST, ground.ceiling - 1) + 1, 12):
            near = 0.0 if before is None else NEAR * abs(key - before)
            found.append((fixed + abs(key - target) + near, key))
    return min(found)[1] if found else low


def keys_of(notes: Sequence[FigureNote], base: int, ground: Ground, low: int = LOWEST) -> dict[int, int]:
    """Choose the keys for the notes of one strike. Returns MIDI pitch -> length in steps.

    `base` is the MIDI pitch of the bar's bass. `low` is the lowest key that may be used. A note without room is left
    out.
    """
    found: dict[int, int] = {}
    lowest: tuple[int, int] | None = None
    for note in sorted(notes, key=lambda n: n.height):
        target = base + note.height
        if lowest is not None and note.height - lowest[1] == 12:
            key: int | None = lowest[0] + 12
        elif note.height <= BASS_HEIGHT and lowest is None and not _is_repeated(base, ground):
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


def at_home(notes: tuple[FigureNote, ...], base: int, home: float) -> tuple[FigureNote, ...]:
    """Return the notes of a song's strike with heights above `home` in place of the bar's bass `base`, a MIDI pitch.

    A strike with a bass note keeps its heights. Otherwise no height becomes that of a bass note.
    """
    if min(note.height for note in notes) <= BASS_HEIGHT:
        return notes
    up = round(home - base)
    return tuple(note._replace(height=max(note.height + up, BASS_HEIGHT + 1)) for note in notes)


def _is_repeated(base: int, ground: Ground) -> bool:
    """Return whether the bar's bass `base`, a MIDI pitch, has sounded in this beat, so that another tone tells more.

    On a beat, and in songs, a bass may be repeated.
    """
    return ground.top is not None and not ground.song and base % 12 in ground.sounded


def telling_key(lowest: int, highest: int, sounding: Collection[int], ground: Ground, low: int = LOWEST) -> int | None:
    """Return one more key that makes the chord clear. Returns None if no key of the triad is free and consonant.

    `lowest` is the lowest key down, `highest` the highest key of the strike. All keys are MIDI pitches. `sounding`
    holds the pitch classes that sound already. `low` is the lowest key that may be used.
    """
    best, least = None, np.inf
    room = LOW_ROOM if lowest < LOW else ROOM
    room_below = LOW_ROOM if lowest - LOW_ROOM < LOW else ROOM
    # a lower key that is held now is released if the strike is too far above it, and the added key would stay
    above = range(max(lowest + room, highest - WIDEST), min(lowest + WIDEST, ground.ceiling - 1, HIGHEST) + 1)
    below = range(max(low, highest - WIDEST, lowest - FURTHEST_BELOW), lowest - room_below + 1)
    for key in above if ground.song else (*above, *below):
        pitch_class = key % 12
        consonance = float(ground.consonance[pitch_class])
        if pitch_class not in ground.classes[:3] or pitch_class in sounding or consonance < 0.0:
            continue
        if ground.top is not None and (ground.top - key) % 12 in (1, 11):
            continue
        if ground.song and ((key - lowest) % 12 in SIXTHS or abs(key - highest) % 12 in SIXTHS):
            continue
        cost = SPREAD * abs(key - highest - ABOVE) - (SONG_CONSONANT if ground.song else CONSONANT) * consonance
        cost -= (SONG_UNLIKELY if ground.song else UNLIKELY) * log(float(ground.likely[pitch_class]) + 0.02)
        cost += BELOW if key < lowest else 0.0
        cost -= TELLING_THIRD if pitch_class == ground.classes[1] else 0.0
        if cost < least:
            best, least = key, cost
    return best


def in_the_way(down: list[int], keys: list[int]) -> list[int]:
    """Return the MIDI pitches of `down`, the keys held now, to release so that one hand can strike `keys`.

    These are keys that are struck again, keys out of reach, and the lowest keys if there are too many.
    """
    gone = [key for key in down if key in keys or max(keys) - key > WIDEST or key - min(keys) > WIDEST]
    stay = [key for key in down if key not in gone]
    while stay and len(stay) + len(keys) > MOST_KEYS:
        gone.append(stay.pop(0))
    while stay and max([*stay, *keys]) - min([*stay, *keys]) > WIDEST:
        gone.append(stay.pop(0))
    return gone


def is_minor(classes: Sequence[int]) -> bool:
    """Return whether a chord has a minor third. `classes` are its pitch classes: root, third, fifth."""
    return (classes[1] - classes[0]) % 12 == 3


def _tone(classes: Sequence[int], degree: int) -> int:
    return classes[degree] if degree < 3 else classes[0]


def _upper(target: int, degree: int, ground: Ground, taken: dict[int, int], low: int) -> int | None:
    """Return the chord tone of least cost near the MIDI pitch `target`, as a MIDI pitch, or None if there is no room.

    The figure asks for the tone with number `degree`. The key lies above all keys of `taken`, and not below `low`.
    """
    best, least = None, np.inf
    above = max(taken, default=low - 1)
    for key in range(max(low, target - 7, above + 1), min(target + 7, ground.ceiling - 1, HIGHEST) + 1):
        pitch_class = key % 12
        if pitch_class not in ground.classes:
            continue
        cost = SIXTH if ground.song and any((key - other) % 12 in SIXTHS for other in taken) else 0.0
        cost += abs(key - target)
        cost -= (SONG_UNLIKELY if ground.song else UNLIKELY) * log(float(ground.likely[pitch_class]) + 0.02)
        cost -= (SONG_CONSONANT if ground.song else CONSONANT) * float(ground.consonance[pitch_class])
        if _tone(ground.classes, degree) == pitch_class:
            cost -= DEGREE
        if pitch_class in ground.sounded or any(other % 12 == pitch_class for other in taken):
            cost += SONG_STALE if ground.song else STALE
        elif pitch_class in ground.classes[:3]:
            cost -= (TELLS_MINOR if is_minor(ground.classes) else TELLS)[list(ground.classes).index(pitch_class)]
        if ground.top is not None:
            cost += RUB_COST if (ground.top - key) % 12 in (1, 11) else 0.0
        if cost < least:
            best, least = key, cost
    return best
