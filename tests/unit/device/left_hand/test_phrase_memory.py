"""The memory of phrases: a melody that comes again gets the chords that were found the first time."""

from __future__ import annotations

import numpy as np
import pytest

from device.left_hand.phrase_memory import LEAST, MOST, PhraseMemory

TUNE = (60, 62, 64, 60, 67, 65, 64, 62, 60, 64, 67, 72, 71, 67, 62, 59)
CHORDS = (0, 0, 0, 0, 7, 7, 7, 7, 0, 0, 0, 0, 7, 7, 16, 16)
"""The triad in each half beat of `TUNE`: 0 is C major, 7 is G major, 16 is E minor."""


def sure_of(triad: int) -> np.ndarray:
    found = np.full(24, -6.0, np.float32)
    found[triad] = -0.1
    return found


def played(memory: PhraseMemory, tune: tuple[int, ...], up: int = 0, learn: bool = True) -> list[int | None]:
    """Play a tune, one key a half beat, and return the chord that the memory gives for each following half beat."""
    found: list[int | None] = []
    for i, key in enumerate(tune):
        memory.hear([(0, [key + up])], i % 8)
        if learn:
            memory.learn(1, sure_of((CHORDS[i % len(CHORDS)] % 12 + up) % 12 + CHORDS[i % len(CHORDS)] // 12 * 12))
        recalled = memory.recall()
        found.append(None if recalled is None else int(np.argmax(recalled.triads)))
    return found


def test_the_second_time_the_chords_of_the_first_time_come_back() -> None:
    memory = PhraseMemory()
    assert played(memory, TUNE) == [None] * len(TUNE)
    again = played(memory, TUNE, learn=False)
    known = int(LEAST)
    assert again[:known] == [None] * known
    assert again[known:-1] == list(CHORDS[known + 1 :])


def test_a_phrase_in_another_key_gets_its_chords_in_that_key() -> None:
    memory = PhraseMemory()
    played(memory, TUNE)
    again = played(memory, TUNE, up=5, learn=False)
    assert again[8:-1] == [(chord % 12 + 5) % 12 + chord // 12 * 12 for chord in CHORDS[9:]]


def test_one_wrong_note_does_not_lose_a_phrase_for_good() -> None:
    memory = PhraseMemory()
    played(memory, TUNE)
    wrong = (*TUNE[:9], 61, *TUNE[10:])
    again = played(memory, (*wrong, *TUNE), learn=False)
    assert again[-2] == CHORDS[-1]


def test_another_melody_and_another_place_in_the_bar_are_not_the_phrase() -> None:
    memory = PhraseMemory()
    played(memory, TUNE)
    assert set(played(memory, tuple(reversed(TUNE)), learn=False)) == {None}
    shifted = PhraseMemory()
    played(shifted, TUNE)
    for i, key in enumerate(TUNE):
        shifted.hear([(0, [key])], (i + 3) % 8)
        assert shifted.recall() is None


def harmonised(memory: PhraseMemory, below: int, triad: int, learn: bool = True) -> list[int | None]:
    """Play `TUNE` with a key so many semitones below each of its keys, and `triad` in each half beat."""
    found: list[int | None] = []
    for i, key in enumerate(TUNE):
        memory.hear([(0, [key - below, key])], i % 8)
        if learn:
            memory.learn(1, sure_of(triad))
        recalled = memory.recall()
        found.append(None if recalled is None else int(np.argmax(recalled.triads)))
    return found


def test_of_two_phrases_with_the_same_melody_the_one_with_the_same_keys_below_counts() -> None:
    memory = PhraseMemory()
    harmonised(memory, 4, triad=0)
    harmonised(memory, 3, triad=9)
    for below, triad in ((4, 0), (3, 9), (16, 0)):
        assert harmonised(memory, below, triad, learn=False)[6:-1] == [triad] * 9


def test_a_phrase_of_chords_is_known_sooner_than_a_phrase_of_single_keys() -> None:
    memory = PhraseMemory()
    harmonised(memory, 4, triad=0)
    first = next(i for i, chord in enumerate(harmonised(memory, 4, 0, learn=False)) if chord is not None)
    assert first < LEAST


def test_keys_below_the_melody_that_were_not_heard_do_not_lose_the_phrase() -> None:
    memory = PhraseMemory()
    harmonised(memory, 4, triad=7)
    for i, key in enumerate(TUNE[:-1]):
        memory.hear([(0, [key] if i % 2 else [key - 4, key])], i % 8)
    recalled = memory.recall()
    assert recalled is not None and int(np.argmax(recalled.triads)) == 7 and recalled.sure > 0.5


def test_chords_that_were_never_found_are_not_recalled() -> None:
    memory = PhraseMemory()
    played(memory, TUNE, learn=False)
    assert set(played(memory, TUNE, learn=False)) == {None}


def test_the_oldest_half_is_forgotten_when_the_memory_is_full() -> None:
    memory = PhraseMemory()
    for _ in range(MOST // len(TUNE) + 2):
        played(memory, TUNE)
    assert played(memory, TUNE)[-2] == CHORDS[-1]
    memory.reset()
    assert set(played(memory, TUNE)) == {None}


STEPS_PER_HALF_BEAT = 2


def expected(memory: PhraseMemory, tune: tuple[int | None, ...], up: int = 0) -> list[int | None]:
    """Play a tune, one key on each half beat, and return the pitch class that the memory expects on the next one.

    A half beat of the memory begins a step early, so a key on the half beat has the step 1.
    """
    found: list[int | None] = []
    for i, key in enumerate(tune):
        memory.hear([] if key is None else [(1, [key + up])], i % 8)
        keys = memory.next_keys(STEPS_PER_HALF_BEAT)
        found.append(int(np.argmax(keys.struck[0])) if keys is not None and keys.struck[0].any() else None)
    return found


@pytest.mark.parametrize("up", [0, 5])
def test_a_phrase_that_comes_again_tells_its_next_keys_in_its_key(up: int) -> None:
    memory = PhraseMemory()
    assert expected(memory, TUNE) == [None] * len(TUNE)
    again = expected(memory, TUNE, up)
    assert again[2:-1] == [(key + up) % 12 for key in TUNE[3:]]


def test_the_keys_of_the_next_beat_are_expected_at_their_steps() -> None:
    memory = PhraseMemory()
    expected(memory, TUNE)
    expected(memory, TUNE[:6])
    keys = memory.next_keys(STEPS_PER_HALF_BEAT)
    assert keys is not None and 0.5 < keys.sure < 1.0
    assert [int(np.argmax(row)) for row in keys.struck[::2]] == [TUNE[6] % 12, TUNE[7] % 12]
    assert not keys.struck[1::2].any(), "nothing is struck between the half beats"


def test_where_the_phrase_strikes_no_key_none_is_expected() -> None:
    memory = PhraseMemory()
    rests = tuple(None if i % 4 == 3 else key for i, key in enumerate(TUNE))
    expected(memory, rests)
    assert expected(memory, rests)[4:-1] == [None if key is None else key % 12 for key in rests[5:]]


def test_another_melody_has_no_expected_keys() -> None:
    memory = PhraseMemory()
    expected(memory, TUNE)
    assert set(expected(memory, (61, 66, 63, 70, 59, 68))) == {None}
