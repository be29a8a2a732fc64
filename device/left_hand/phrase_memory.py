"""Remembers the chords that were found in hindsight, and finds them again if the melody comes again.

The melody may come again in another key. Then the chords are transposed too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MOST = 8192
"""Half beats that are remembered: more than half an hour at 120 beats a minute."""
MISSED = 0.3
"""Factor on the number of equal half beats if a half beat differs. So a wrong note does not lose the phrase."""
LEAST = 4.0
"""Half beats with a new key that must have been equal before the memory is used."""
SURE = 12.0
"""Equal half beats from which the memory counts in full."""
NEAR = 2.0
"""A phrase counts too if it had at most so many equal half beats fewer than the best one."""

FACTOR, MODULUS = 1_000_003, 2**61 - 1
"""Numbers of the hash of a half beat."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class Recalled(NamedTuple):
    """What the memory says of the coming half beat: log-probabilities of the triads [24], and how sure it is, 0..1."""

    triads: Floats
    sure: float


class PhraseMemory:
    """Keeps one entry for each half beat. An entry is described when its half beat is over.

    A half beat is equal to an earlier one if the melody strikes at the same steps, moves by the same intervals, and has
    the same place in the bar. The interval is that from the key struck before, so the key of the music does not count.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._marks: Ints = np.zeros(MOST, np.int64)
        self._pitches: Ints = np.zeros(MOST, np.int64)
        self._triads: Floats = np.zeros((MOST, 24), np.float32)
        self._known = np.zeros(MOST, bool)
        self._equal: Floats = np.zeros(MOST, np.float32)
        self._size = 0
        self._last = -1

    def hear(self, onsets: list[tuple[int, int]], place: int) -> None:
        """Add the half beat that is over.

        `onsets` holds the step since its start and the MIDI pitch of the highest key of each strike, in order. `place`
        is a number for its place in the bar and the metre.
        """
        mark, before = place, self._last
        for step, pitch in onsets:
            moved = pitch - self._last if self._last >= 0 else 0
            mark = ((mark * FACTOR + step) * FACTOR + moved) % MODULUS
            self._last = pitch
        if self._size == MOST:
            self._forget_half()
        n = self._size
        same = self._marks[:n] == mark
        # how many half beats up to the entry before each entry were equal to those up to the half beat before this one
        previous = np.concatenate((np.zeros(1, np.float32), self._equal[:n]))[:n]
        gain = 1.0 if onsets and before >= 0 else 0.0
        self._equal[:n] = np.where(same, previous + gain, previous * MISSED)
        self._equal[n] = 0.0
        self._marks[n], self._pitches[n] = mark, self._last
        self._known[n] = False
        self._size = n + 1

    def _forget_half(self) -> None:
        half = MOST // 2
        for array in (self._marks, self._pitches, self._triads, self._known, self._equal):
            array[:half] = array[half:].copy()
        self._size = half

    def learn(self, ago: int, triads: Floats) -> None:
        """Keep the log-probabilities [24] of the triads that held `ago` half beats before the coming one."""
        at = self._size - ago
        if at >= 0:
            self._triads[at], self._known[at] = triads, True

    def recall(self) -> Recalled | None:
        """Return the chord that followed when the melody was the same before. None if it was not."""
        n = self._size
        if n < 2:
            return None
        equal = np.where(self._known[1:n], self._equal[: n - 1], 0.0)
        best = float(equal.max())
        if best < LEAST:
            return None
        near = np.flatnonzero(equal >= max(best - NEAR, LEAST))
        weights = equal[near] / equal[near].sum()
        found = np.zeros(24, np.float32)
        for i, weight in zip(near, weights, strict=True):
            by = int(self._pitches[n - 1] - self._pitches[i]) % 12
            found += weight * np.roll(self._triads[i + 1].reshape(2, 12), by, axis=1).ravel()
        return Recalled(found, min(best / SURE, 1.0))
