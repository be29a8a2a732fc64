"""Finds tempos of a MIDI file that are in a wrong unit, so that no hand could play the notes.

A tempo is the length of a quarter note in microseconds. Some programs write it in milliseconds, or write the number of
beats a minute. All notes of a piece then lie within less than a second.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import median

Tempos = Sequence[tuple[int, int]]
"""(tick, microseconds per quarter note) of each tempo, in the order of the ticks."""

SHORTEST_US = 50_000
"""Microseconds of a quarter note. Shorter ones are 1,200 a minute or more, and no music is written so."""
LONGEST_US = 0xFFFFFF
"""Largest number of microseconds that a MIDI file can have for a quarter note."""
LEAST_ONSETS, MOST_A_SECOND = 4, 30.0
"""From LEAST_ONSETS times of onsets on, more than MOST_A_SECOND come from a wrong unit.

A hand makes 15. Programs that count in small units write short quarters on purpose, and there the notes are slower.
"""
LIKELY_MS = (200, 2000)
"""Milliseconds of a quarter note from 300 to 30 a minute. A tempo in this range was meant in milliseconds."""
LIKELY_BPM = (20, 200)
"""Quarter notes a minute. A tempo in this range was meant so."""


def right_tempos(tempos: Tempos, onset_ticks: Sequence[int], ticks_per_beat: int) -> tuple[list[tuple[int, int]], str]:
    """Return the tempos as they were probably meant, and the flaw in words; the same tempos and "" if they are right.

    `onset_ticks` are those of all notes, in any order. If the unit cannot be told, the tempo before goes on, or that of
    a file without a tempo. A file that counts in frames (`ticks_per_beat` below 0) has no tempos.
    """
    ordered = sorted(tempos, key=lambda tempo: tempo[0])
    if ticks_per_beat <= 0 or all(us >= SHORTEST_US for _, us in ordered):
        return ordered, ""
    onsets = sorted(set(onset_ticks))
    stretches = [*pairwise([*ordered, (max([*onsets, ordered[-1][0]]) + 1, 0)])]
    short = [(begin, end, us) for (begin, us), (end, _) in stretches if us < SHORTEST_US and end > begin]
    inside = [bisect_left(onsets, end) - bisect_left(onsets, begin) for begin, end, _ in short]
    played = sum((end - begin) * us for (begin, end, us), many in zip(short, inside, strict=True) if many)
    seconds = played / 1e6 / ticks_per_beat
    if sum(inside) < LEAST_ONSETS or sum(inside) <= MOST_A_SECOND * seconds:
        return ordered, ""
    flaw = "tempos in a wrong unit, by which no hand could play the notes"
    usual = median(us for *_, us in short)
    if LIKELY_MS[0] <= usual < LIKELY_MS[1]:
        return _changed(ordered, lambda us: us * 1000), f"{flaw} (read as milliseconds)"
    if LIKELY_BPM[0] <= usual < LIKELY_BPM[1]:
        return _changed(ordered, lambda us: 60_000_000 // us), f"{flaw} (read as beats a minute)"
    return [(tick, us) for tick, us in ordered if us >= SHORTEST_US], f"{flaw} (left out)"


def _changed(tempos: Tempos, right: Callable[[int], int]) -> list[tuple[int, int]]:
    """Return `tempos` with each that is below SHORTEST_US changed by `right`."""
    return [(tick, min(right(us), LONGEST_US) if us < SHORTEST_US else us) for tick, us in tempos]
