"""A phrase that comes again: it is found by pitch and rhythm, and its chords are counted both times."""

from __future__ import annotations

import numpy as np

from training.corpora.pieces import BARE_NOTE_DTYPE
from training.playing_figures.panel import Roll, roll_of
from training.playing_figures.phrases import Again, phrases_again, repeats

BARS = 12
POSITIONS = np.arange(16 * BARS) % 16
PHRASE = [72, 74, 76, 77, 79, 77, 76, 74]
OTHER = [60, 62, 64, 65, 67, 69, 71, 72]


def hand(rows: list[tuple[float, float, int]]) -> Roll:
    return roll_of(np.array(rows, BARE_NOTE_DTYPE), 16 * BARS)


def melody(*phrases: tuple[int, list[int]]) -> Roll:
    """A quarter for each key; each phrase begins at its bar."""
    return hand([(4.0 * bar + i, 1.0, key) for bar, keys in phrases for i, key in enumerate(keys)])


def chords(triads: dict[int, tuple[int, ...]]) -> Roll:
    """The triad of each bar, for the whole bar."""
    return hand([(4.0 * bar, 4.0, key) for bar, keys in triads.items() for key in keys])


C, F = (48, 52, 55), (53, 57, 60)


def test_two_bars_that_are_the_same_are_found_and_a_changed_key_or_rhythm_is_not() -> None:
    again = melody((0, PHRASE), (2, OTHER), (4, PHRASE))
    assert repeats(again, POSITIONS, 16) == [(0, 64)]
    assert repeats(melody((0, PHRASE), (2, OTHER), (4, [*PHRASE[:-1], 75])), POSITIONS, 16) == []
    later = hand([(i, 1.0, key) for i, key in enumerate(PHRASE)] + [(16.5 + i, 1.0, k) for i, k in enumerate(PHRASE)])
    assert repeats(later, POSITIONS, 16) == []


def test_a_third_time_is_compared_with_the_first() -> None:
    assert repeats(melody((0, PHRASE), (2, PHRASE), (6, PHRASE)), POSITIONS, 16) == [(0, 32), (0, 96)]


def test_the_right_chords_are_counted_both_times() -> None:
    right = melody((0, PHRASE), (4, PHRASE))
    true = chords(dict.fromkeys(range(BARS), C))
    learns = chords({0: F, 1: C, 4: C, 5: C})
    assert phrases_again(right, learns, true, POSITIONS, 16) == Again(8, 4, 8)


def test_a_beat_in_silence_counts_neither_time() -> None:
    right = melody((0, PHRASE), (4, PHRASE))
    true = chords(dict.fromkeys(range(BARS), C))
    assert phrases_again(right, chords({1: C, 4: C, 5: C}), true, POSITIONS, 16) == Again(4, 4, 4)
