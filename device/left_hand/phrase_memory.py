"""Remembers the melody, and the chords that were found in hindsight, and finds both if the melody comes again.

The melody may come again in another key. Then its next keys and the chords are transposed too.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MOST = 8192
"""Number of half beats that are remembered: more than half an hour at 120 beats a minute."""
MISSED = 0.3
"""Factor on the number of equal half beats if a half beat differs. So one wrong note does not end the phrase."""
OTHER_CHORDS = 0.8
"""Factor on that number if the melody of a half beat is equal, and other keys are struck below it.

So a key that was not heard, or heard wrongly, does not end the phrase.
"""
CHORDS_TELL = 0.5
"""Further half beats for which an equal half beat counts if chords are struck in it.

Chords that come again with the melody say more surely that the phrase is the same.
"""
LEAST = 4.0
"""Number of half beats with a new key that must have been equal before the memory is used."""
SURE = 8.0
"""Number of equal half beats from which the memory has its full weight."""
NEAR = 2.0
"""Other phrases count too if they have at most so many equal half beats fewer than the best one."""
LEAST_OF_MELODY, HALF_SURE_OF_MELODY = 1.0, 1.5
"""Numbers of half beats with a new key that must have been equal: before the memory expects the melody's next keys, and
before it is trusted as much as the chord net's guess."""
STEPS = 4
"""Grid steps of a half beat whose keys are remembered. The half beat of each metre in use is at most so long."""

KEPT = 4096
"""Number of half beats that are packed for the file: the last quarter of an hour or more."""
MOST_BYTES = 512 * 2**10
"""Limit on the bytes of a file of phrases. A packed memory is smaller."""
SCHEMA = 1
"""Version of the packed form."""
FINENESS, UNKNOWN = 16.0, 127
"""Packed steps in a unit of log-probability, and the packed value for a chord that was never found."""
NO_KEY, KEY_UNKNOWN = -1, -2
"""Stand for a grid step at which the melody strikes no key, and for one of which that is not known."""
FACTOR, MODULUS, CHORD_MODULUS = 1_000_003, 2**61 - 1, 2**31 - 1
"""Factor, and moduli for the melody and for the keys below it, with which the hashes of a half beat are computed.

The hash of the keys is 0 if no key is struck below the melody.
"""
CHORDS_UNKNOWN = -1
"""Stands for the hash of the keys below the melody if it is not known, as in a stored memory of an earlier version."""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

MOVED: Ints = (np.arange(2)[:, None] * 12 + (np.arange(12) - np.arange(12)[:, None, None]) % 12).reshape(12, 24)
"""[12, 24] for each number of semitones, the index of the triad that becomes each triad when it is moved up so far."""


class Recalled(NamedTuple):
    """Holds the memory's answer for the coming half beat: log-probabilities of the triads [24], and trust, 0 to 1."""

    triads: Floats
    sure: float


class NextKeys(NamedTuple):
    """Holds what the memory expects of the melody in the next two half beats.

    `struck` [2 size, 12] is the probability that a key of each pitch class is struck at each grid step, where `size` is
    the number of steps of a half beat. The rest of a row up to 1 is the probability that no key is struck there. `sure`
    is the trust in it, 0 to 1.
    """

    struck: Floats
    sure: float


class PhraseMemory:
    """Remembers each half beat of the melody, with the chord that held in it.

    A half beat is equal to an earlier one if the melody strikes at the same steps, moves by the same intervals, and has
    the same place in the bar. Intervals are from one struck key to the next, so a transposed melody is equal too. If
    other keys are struck below the melody, it counts less. These are compared by their pitch classes below the
    melody's.
    """

    def __init__(self, keeps: bool = False) -> None:
        self.keeps = keeps
        """True if a reset keeps the phrases, so that they can be stored between days."""
        self._clear()

    def reset(self) -> None:
        """Begin a new piece. Forget all phrases, unless `keeps` is true."""
        if not self.keeps:
            self._clear()
        self._equal[:] = 0.0
        self._last = -1

    def _clear(self) -> None:
        self._marks: Ints = np.zeros(MOST, np.int64)
        self._chords: npt.NDArray[np.int32] = np.zeros(MOST, np.int32)
        self._pitches: Ints = np.zeros(MOST, np.int64)
        self._triads: Floats = np.zeros((MOST, 24), np.float32)
        self._known = np.zeros(MOST, bool)
        self._keys: npt.NDArray[np.int8] = np.full((MOST, STEPS), NO_KEY, np.int8)
        self._equal: Floats = np.zeros(MOST, np.float32)
        self._size = 0
        self._last = -1

    def hear(self, onsets: Sequence[tuple[int, Collection[int]]], place: int) -> None:
        """Add the half beat of the melody that has just ended. If the memory is full, forget its older half.

        `onsets` has one pair for each strike, in order: the step since the half beat began, and the MIDI pitches of the
        keys, of which the highest is the melody's. `place` is a number that stands for the half beat's place in the bar
        and for the metre.
        """
        mark, chords, before = place, 0, self._last
        for step, pitches in onsets:
            top = max(pitches)
            moved = top - self._last if self._last >= 0 else 0
            mark = ((mark * FACTOR + step) * FACTOR + moved) % MODULUS
            below = sum({1 << (top - pitch) % 12 for pitch in pitches} - {1})
            chords = ((chords * FACTOR + step) * FACTOR + below) % CHORD_MODULUS if below else chords
            self._last = top
        if self._size == MOST:
            self._forget_half()
        n = self._size
        same = self._marks[:n] == mark
        # how many half beats up to the entry before each entry were equal to those up to the half beat before this one
        previous = np.concatenate((np.zeros(1, np.float32), self._equal[:n]))[:n]
        gain = 1.0 if onsets and before >= 0 else 0.0
        told = gain * (1.0 + CHORDS_TELL) if chords else gain
        factor = np.where(self._chords[:n] == CHORDS_UNKNOWN, 1.0, OTHER_CHORDS).astype(np.float32)
        alike = np.where(self._chords[:n] == chords, previous + told, (previous + gain) * factor)
        self._equal[:n] = np.where(same, alike, previous * MISSED)
        self._equal[n] = 0.0
        self._marks[n], self._chords[n], self._pitches[n] = mark, chords, self._last
        self._known[n] = False
        self._keys[n] = NO_KEY
        for step, pitches in onsets:
            if step < STEPS:
                self._keys[n, step] = max(pitches)
        self._size = n + 1

    def _forget_half(self) -> None:
        half = MOST // 2
        for array in (self._marks, self._chords, self._pitches, self._triads, self._known, self._keys, self._equal):
            array[:half] = array[half:].copy()
        self._size = half

    def learn(self, ago: int, triads: Floats) -> None:
        """Store the log-probabilities [24] of the triads for an earlier half beat. If it is not remembered, do nothing.

        `ago` is the number of half beats from that one to the coming one.
        """
        at = self._size - ago
        if at >= 0:
            self._triads[at], self._known[at] = triads, True

    def recall(self) -> Recalled | None:
        """Return the chord that followed when the melody was the same earlier, moved to the present key.

        Returns None if the melody was not the same before, or not for long enough.
        """
        n = self._size
        if n < 2:
            return None
        equal = np.where(self._known[1:n], self._equal[: n - 1], 0.0)
        best = float(np.maximum.reduce(equal))
        if best < LEAST:
            return None
        near, weights = _weighted(equal, max(best - NEAR, LEAST))
        found = np.zeros(24, np.float32)
        for i, weight in zip(near, weights, strict=True):
            by = int(self._pitches[n - 1] - self._pitches[i]) % 12
            found += weight * self._triads[i + 1].take(MOVED[by])
        return Recalled(found, min(best / SURE, 1.0))

    def next_keys(self, size: int) -> NextKeys | None:
        """Return the keys that followed when the melody was the same earlier, moved to the present key.

        Call it when the coming half beat begins one step after the end of the last one that was heard, as the left hand
        does: the keys of the step in between may not be known yet. `size` is the number of steps of a half beat.
        Returns None if the melody was not the same before.
        """
        n = self._size
        if n < 2:
            return None
        equal = np.where(self._keys[1:n, 0] != KEY_UNKNOWN, self._equal[: n - 1], 0.0)
        best = float(np.maximum.reduce(equal))
        if best < LEAST_OF_MELODY:
            return None
        near, weights = _weighted(equal, max(best - NEAR, LEAST_OF_MELODY))
        later, place, first = _coming_steps(size)
        entry = near + later
        keys = self._keys.take(np.minimum(entry, n - 1) * STEPS + place)
        classes = (keys + (self._pitches[n - 1] - self._pitches.take(near))) % 12
        gains = np.where((entry < n) & (keys >= 0), weights, 0.0)
        struck = np.bincount((first + classes).ravel(), weights=gains.ravel(), minlength=24 * size)
        return NextKeys(np.asarray(struck.reshape(-1, 12), np.float32), best / (best + HALF_SURE_OF_MELODY))

    def packed(self) -> bytes:
        """Return the last `KEPT` half beats as JSON, to be stored."""
        part = slice(max(0, self._size - KEPT), self._size)
        triads = np.clip(np.rint(-FINENESS * self._triads[part]), 0, UNKNOWN - 1).astype(np.uint8)
        triads[~self._known[part]] = UNKNOWN
        columns = {
            "marks": self._marks[part].astype("<i8"),
            "chords": self._chords[part].astype("<i4"),
            "pitches": self._pitches[part].astype("<i2"),
            "keys": self._keys[part],
        }
        texts = {name: base64.b64encode(array.tobytes()).decode() for name, array in columns.items()}
        texts["triads"] = base64.b64encode(triads.tobytes()).decode()
        return json.dumps({"schema": SCHEMA, **texts}).encode() + b"\n"

    @classmethod
    def unpacked(cls, content: bytes) -> PhraseMemory:
        """Return the memory that `packed` stored, with `keeps` true. Raises ValueError if `content` is damaged."""
        try:
            data = json.loads(content)
            if data["schema"] != SCHEMA:
                raise ValueError(f"it is not of schema {SCHEMA}")
            raw = [base64.b64decode(data[name], validate=True) for name in ("marks", "pitches", "triads")]
            marks, pitches = np.frombuffer(raw[0], "<i8"), np.frombuffer(raw[1], "<i2")
            triads = np.frombuffer(raw[2], np.uint8).reshape(-1, 24)
            # files of earlier versions have no column of chords, or none of keys
            chords = np.frombuffer(base64.b64decode(data.get("chords", ""), validate=True), "<i4")
            keys = np.frombuffer(base64.b64decode(data.get("keys", ""), validate=True), np.int8).reshape(-1, STEPS)
        except (AttributeError, KeyError, TypeError, RecursionError, binascii.Error) as error:
            raise ValueError(f"it is not a memory of phrases: {error}") from None
        size = len(marks)
        if not size == len(pitches) == len(triads) or size > KEPT:
            raise ValueError("its columns do not fit together")
        if len(keys) not in (0, size) or len(chords) not in (0, size):
            raise ValueError("its columns do not fit together")
        if len(keys) and not (keys.min() >= KEY_UNKNOWN):
            raise ValueError("a number is out of range")
        if size and not (pitches.min() >= -1 and pitches.max() <= 127 and triads.max() <= UNKNOWN):
            raise ValueError("a number is out of range")
        memory = cls(keeps=True)
        memory._size = size
        memory._marks[:size], memory._pitches[:size] = marks, pitches
        memory._chords[:size] = chords if len(chords) else CHORDS_UNKNOWN
        memory._keys[:size] = keys if len(keys) else KEY_UNKNOWN
        memory._triads[:size] = triads / -FINENESS
        memory._known[:size] = triads[:, 0] != UNKNOWN if size else False
        return memory


def _weighted(equal: Floats, least: float) -> tuple[Ints, Floats]:
    """Return the indexes of the values in `equal` that reach `least`, and their shares in the sum of these values."""
    near = (equal >= least).nonzero()[0]
    weights = equal.take(near)
    return near, weights / np.add.reduce(weights)


@cache
def _coming_steps(size: int) -> tuple[Ints, Ints, Ints]:
    """Return three columns [2 size, 1] for the steps of the two half beats to come, `size` steps each.

    They are the number of entries from the equal half beat to that of the step, the step in that entry, and the place
    of the step's first pitch class in a table with 12 for each step. A remembered half beat begins a step before the
    half beat on the grid.
    """
    steps = np.arange(2 * size)
    later, place = np.divmod(steps + 1, size)
    return (later + 1)[:, None], np.minimum(place, STEPS - 1)[:, None], (steps * 12)[:, None]
