"""Finds out which hand the notes of a MIDI file are for: by the names of its tracks, or by the span of its chords."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from device.events import Note
from device.files.midi.notes import ALIKE_CHANNELS, ALIKE_NOTES, ALIKE_PITCH, Part
from device.printable import printable

_SPACE = re.compile(" ")
_RIGHT = frozenset(
    _SPACE.split(
        "right rh righthand rechts rechte rechter rechterhand droite md destra mandestra dx derecha direita upper "
        "treble höger högra højre høyre oikea prawa pravá jobb правая sağ δεξί"
    )
)
_LEFT = frozenset(
    _SPACE.split(
        "left lh lefthand links linke linker linkerhand gauche mg ms sinistra mansinistra sx izquierda esquerda lower "
        "bass vänster vänstra venstre vasen lewa levá bal левая sol αριστερό"
    )
)
"""Words in the names of tracks that name a hand, or the staff of a hand, without points and in small letters."""
_MELODY = frozenset(
    _SPACE.split(
        "melody melodie mélodie melodia melodía melodi vocal vocals voice lead gesang stimme singstimme voix "
        "voce voz canto sang sång мелодия メロディ メロディー ボーカル 旋律 主旋律 멜로디"
    )
)
"""Words in the names of tracks that name the melody."""
_RIGHT_SIGNS, _LEFT_SIGNS = ("右", "오른"), ("左", "왼")
"""Signs that name a hand in scripts without spaces."""
WIDEST = 16
"""Semitones. Keys that are down together and span more than a tenth, which is this, are in two hands."""
LEAST_WIDE = 0.3
"""Share of the time with a key down. If chords are wider than `WIDEST` for so much of it, there are two hands.

Of 70 right hands of pianists' performances none is taken for two. Of the same performances with both hands, 52 are.
"""
_SPLITS = range(48, 68)
"""Pitches at which two hands may be split: an octave below middle C to a fifth above it."""
_JUDGED = 4000
"""Most notes by which the hands are judged. That is ten minutes of music, and takes 0.2 s."""
LEAST_SPREAD = ALIKE_CHANNELS + 1
"""Fewest parts over which one hand may be spread."""
_USUAL_SPLIT = 57
"""Pitch near middle C. If several pitches split the hands as well, the nearest to this is taken."""


def named_right(parts: Sequence[Part]) -> list[Part]:
    """Return the parts that are the right hand by their names.

    Return none unless each part is named for exactly one hand and both hands are there, because any other part might
    be the melody.
    """
    hands = [_hand(part.name) for part in parts]
    if None in hands or len(set(hands)) != 2:
        return []
    return [part for part, hand in zip(parts, hands, strict=True) if hand == "right"]


def named_melody(parts: Sequence[Part]) -> Part | None:
    """Return the only part that is the melody by its name; None if there is none or more than one."""
    found = [part for part in parts if _words(part.name) & _MELODY]
    return found[0] if len(found) == 1 else None


def spread(parts: Sequence[Part]) -> bool:
    """Return whether the parts are used alike, as those over which an MPE keyboard or a transcriber spreads one hand.

    They are at least LEAST_SPREAD, and have about as many notes and about the same pitches.
    """
    counts = [len(part.notes) for part in parts]
    pitches = [median(note.pitch for note in part.notes) for part in parts]
    return (
        len(parts) >= LEAST_SPREAD
        and all(median(counts) / ALIKE_NOTES <= count <= median(counts) * ALIKE_NOTES for count in counts)
        and all(abs(pitch - median(pitches)) <= ALIKE_PITCH for pitch in pitches)
    )


def about_hands(part: Part, path: Path) -> list[str]:
    """Return a sentence about the file `path` if the right hand `part` seems to hold both hands, else none."""
    split = split_of_two_hands(part.notes)
    if split is None:
        return []
    return [
        f"The notes of {printable(path.name)} seem to be those of both hands: --split {split} makes those below this "
        f"key your own left hand, and the box then plays where it stops."
    ]


def split_of_two_hands(notes: Sequence[Note]) -> int | None:
    """Return the lowest key of the right hand if `notes` are those of two hands, and None if one hand can play them."""
    notes = sorted(notes, key=lambda note: note.onset_s)[:_JUDGED]
    times = sorted({at for note in notes for at in (note.onset_s, _end_s(note))})
    waiting = notes[::-1]
    down: list[Note] = []
    sounding_s = wide_s = 0.0
    fitting_s = dict.fromkeys(_SPLITS, 0.0)
    for at_s, until_s in zip(times, times[1:], strict=False):
        down = [note for note in down if _end_s(note) > at_s]
        while waiting and waiting[-1].onset_s <= at_s:
            note = waiting.pop()
            if _end_s(note) > at_s:
                down.append(note)
        if not down:
            continue
        pitches = [note.pitch for note in down]
        sounding_s += until_s - at_s
        if max(pitches) - min(pitches) <= WIDEST:
            continue
        wide_s += until_s - at_s
        for split in _SPLITS:
            low, high = [p for p in pitches if p < split], [p for p in pitches if p >= split]
            if low and high and max(low) - min(low) <= WIDEST and max(high) - min(high) <= WIDEST:
                fitting_s[split] += until_s - at_s
    if wide_s == 0 or wide_s < LEAST_WIDE * sounding_s:
        return None
    return max(_SPLITS, key=lambda split: (round(fitting_s[split], 3), -abs(split - _USUAL_SPLIT)))


def _end_s(note: Note) -> float:
    return note.onset_s if note.offset_s is None else note.offset_s


def _hand(name: str) -> str | None:
    """Return the hand that the name of a track names; None if it names none or both."""
    words = _words(name)
    right = bool(words & _RIGHT) or any(sign in name for sign in _RIGHT_SIGNS)
    left = bool(words & _LEFT) or any(sign in name for sign in _LEFT_SIGNS)
    return None if right == left else "right" if right else "left"


def _words(name: str) -> set[str]:
    """Return the words of a track's name in small letters, without points: "R.H. 1" gives "rh"."""
    return set(re.findall(r"[^\W\d_]+", unicodedata.normalize("NFKC", name).casefold().replace(".", "")))
