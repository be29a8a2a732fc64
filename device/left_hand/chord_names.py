"""Names of pitch-class sets: the nearest of 24 triads and their seventh chords."""

from __future__ import annotations

from collections.abc import Iterable

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
"""Suffix -> pitch classes above the root; the plainer name first, since it wins a tie."""

NO_CHORD = "-"

_BASS_BONUS = 0.5
_MISSING, _EXTRA = 1.0, 1.2


def label(pitch_classes: Iterable[int], bass: int | None = None) -> str:
    """The chord name (`C`, `Am`, `G7`) that fits a set of pitch classes 0..11 best; `-` for an empty set.

    A note that the chord lacks counts a little more than one that is not played, and a root in the
    `bass` (a pitch class) half a note.
    """
    sounding = frozenset(pc % 12 for pc in pitch_classes)
    if bass is not None:
        sounding |= {bass % 12}
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
