"""Leaves out strikes of a figure, or adds strikes to it, so that it has a factor more or fewer of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from device.left_hand.figure_bank import Excerpt, FigureNote

Bar = tuple[FigureNote, ...]

SHORTEST_GAP = 2
"""Steps, an eighth, between two strikes, one of which is added."""
TELLS_LATER = 0.7
"""The least density at which a key may be struck after a beat only because the beat's chord is not clear."""
BASS_HEIGHT = 4
"""Semitones. A note at most this far above its bar's bass is a bass note."""
FIFTH, THIRD = 7, 4
"""Semitones from a note that was struck alone to the one that is added: above a bass note, and beside another one."""


def strikes_a_bar(bars: Sequence[Bar]) -> float:
    """Return the mean number of strikes of `bars`."""
    return sum(len({note.position for note in bar}) for bar in bars) / len(bars)


def scaled(excerpt: Excerpt, factor: float, steps_per_bar: int, steps_per_beat: int) -> Excerpt:
    """Return `excerpt` with about `factor` times as many strikes in each bar, at least one where it has any.

    What is left out first is what lies at the weakest places of the bar, and the notes before last so much longer. A
    strike is added in the middle of the longest gap, with the upper keys of the strike before, and never less than
    `SHORTEST_GAP` from another one.
    """
    bars = tuple(_scaled(bar, factor, steps_per_bar, steps_per_beat) for bar in excerpt.bars)
    return replace(excerpt, bars=bars)


def _scaled(bar: Bar, factor: float, size: int, beat: int) -> Bar:
    positions = sorted({note.position for note in bar})
    if not positions:
        return bar
    number = max(int(len(positions) * factor + 0.5), 1)
    if number < len(positions):
        kept = sorted(positions, key=lambda at: (_weakness(at, size, beat), at))[:number]
        return _thinned(bar, positions, sorted(kept), size)
    for _ in range(number - len(positions)):
        bar = _with_one_more(bar, size)
    return bar


def _weakness(position: int, size: int, beat: int) -> int:
    """Return how weak a place of the bar is: 0 for the bar line, then its half, a beat, an eighth, another step."""
    if position == 0:
        return 0
    if position % beat == 0:
        return 1 if 2 * position == size else 2
    return 3 if position % 2 == 0 else 4


def _thinned(bar: Bar, positions: list[int], kept: list[int], size: int) -> Bar:
    before, after = (dict(zip(at, [*at[1:], size], strict=True)) for at in (positions, kept))
    found = []
    for note in bar:
        at = note.position
        if at in after:
            share = min(note.length / (before[at] - at), 1.0)
            found.append(note._replace(length=max(note.length, round(share * (after[at] - at)))))
    return tuple(found)


def _with_one_more(bar: Bar, size: int) -> Bar:
    positions = sorted({note.position for note in bar})
    gaps = [(end - begin, begin) for begin, end in zip(positions, [*positions[1:], size], strict=True)]
    gap, begin = max(gaps, key=lambda found: (found[0], -found[1]))
    at = begin + gap // 2 - gap // 2 % SHORTEST_GAP
    if at - begin < SHORTEST_GAP or begin + gap - at < SHORTEST_GAP:
        return bar
    before = sorted((note for note in bar if note.position == begin), key=lambda note: note.height)
    added = [note._replace(position=at, length=begin + gap - at) for note in before[1:] or [_other(before[0])]]
    return tuple(sorted([*bar, *added]))


def _other(note: FigureNote) -> FigureNote:
    """Return another tone of the chord for a note that was struck alone."""
    if note.height <= BASS_HEIGHT:
        return note._replace(height=note.height + FIFTH, degree=2)
    lower = note.height - THIRD
    height = lower if lower > BASS_HEIGHT else note.height + THIRD
    return note._replace(height=height, degree=(note.degree + 1) % 3)
