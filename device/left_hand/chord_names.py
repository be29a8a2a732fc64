"""Names for sets of pitch classes: the nearest chord of a table of triads and seventh chords."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

ROOTS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")

QUALITIES: dict[str, frozenset[int]] = {
    "": frozenset({0, 4, 7}),
    "m": frozenset({0, 3, 7}),
    "7": frozenset({0, 4, 7, 10}),
    "maj7": frozenset({0, 4, 7, 11}),
    "m7": frozenset({0, 3, 7, 10}),
    "dim": frozenset({0, 3, 6}),
    "m7b5": frozenset({0, 3, 6, 10}),
    "dim7": frozenset({0, 3, 6, 9}),
    "sus4": frozenset({0, 5, 7}),
    "aug": frozenset({0, 4, 8}),
}
"""Suffix of the name -> semitones above the root. Simpler chords come first, because the first one wins a tie."""

NO_CHORD = "-"

_BASS_BONUS = 0.5
"""Taken off the cost of a chord whose root is in the bass."""
_MISSING, _EXTRA = 1.0, 1.2
"""Costs: of a chord note that does not sound, and of a sounding note that is not in the chord."""


def label(pitch_classes: Iterable[int], bass: int | None = None) -> str:
    """Return the chord name (`C`, `Am`, `G7`) that fits a set of pitch classes 0..11 best; `-` if nothing sounds.

    A sounding note that the chord does not have costs a little more than a chord note that does not sound. A chord
    whose root is `bass` (a pitch class) costs half a note less.
    """
    sounding = frozenset(pc % 12 for pc in pitch_classes)
    if bass is not None:
        sounding |= {bass % 12}
    return _label(sounding, bass)


@cache
def _label(sounding: frozenset[int], bass: int | None) -> str:
    if not sounding:
        return NO_CHORD
    best, best_cost = NO_CHORD, float("inf")
    for suffix, shape in QUALITIES.items():
        for root in range(12):
            chord = {(root + interval) % 12 for interval in shape}
            cost = _MISSING * len(chord - sounding) + _EXTRA * len(sounding - chord)
            if bass is not None and root == bass % 12:
                cost -= _BASS_BONUS
            if cost < best_cost - 1e-9:
                best, best_cost = ROOTS[root] + suffix, cost
    return best
