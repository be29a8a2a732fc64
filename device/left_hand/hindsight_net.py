"""A small recurrent net that finds the chords of past half beats again, when it is known what followed.

It reads the last bars backwards: what the right hand played, and what the chord net found. Its answers go to the memory
of phrases, so a phrase that comes again gets better chords than those that could be known the first time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from device.left_hand.chord_net import DELAY, Floats, GruLayer, log_share

FILE = Path(__file__).with_name("hindsight_net.npz")
GUESSES = 2
"""Inputs for each pitch class beside those of the chord net: its probabilities, in hindsight, of the major and the
minor triad on it."""
HEADS = (("triads", 2),)
"""Name of each output, and its number of values for each pitch class."""
READ = 24
"""Half beats that are read back, three bars of 4/4. When they are read, the next reading begins at the newest one."""
AT_ONCE = 2
"""Half beats that are read in each half beat, so that no moment has much work."""


class Past(NamedTuple):
    """Holds the chord of a past half beat: how many half beats ago it began, and log-probabilities of triads [24]."""

    ago: int
    triads: Floats


@dataclass(slots=True)
class _Entry:
    """Holds the numbers of a half beat as `HindsightNet.at` gets them.

    `inside` is what they add to the gates once the guess about this half beat is known, so that a later reading need
    not compute it again.
    """

    heard: Floats
    place: Floats
    guess: Floats
    inside: Floats | None = None


class HindsightNet:
    """Keeps the last half beats, and reads them backwards, `AT_ONCE` of them in each half beat."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        """Build the net from the arrays that `training.figure_bank.hindsight` writes, see `GruLayer`.

        Raises KeyError if one is missing.
        """
        self._layer = GruLayer(arrays)
        self._entries: deque[_Entry] = deque(maxlen=READ + 1)
        self.reset()

    def reset(self) -> None:
        """Forget the half beats, and the reading that is not at its end."""
        self._entries.clear()
        self._reading: list[_Entry] = []
        """The half beats that are read now, the newest first."""
        self._read, self._since = 0, 0
        """Half beats read so far, and half beats that have come since the reading began."""
        self._state = self._layer.first

    def at(self, heard: Floats, place: Floats, guess: Floats) -> list[Past]:
        """Add a half beat, read some of the last ones, and return the chords that were found again.

        `heard` [CHANNELS, 12] describes the half beat that has ended, and `place` [PLACES] the place of the coming one,
        as in `ChordNet`. `guess` [24] are the chord net's log-probabilities of the triad `DELAY` half beats before the
        coming one.
        """
        self._entries.append(_Entry(heard, place, guess))
        self._since += 1
        if self._read + 1 >= len(self._reading):
            self._reading, self._read, self._since = list(self._entries)[::-1], 0, 0
            self._state = self._layer.first
        found = []
        for _ in range(min(AT_ONCE, len(self._reading) - 1 - self._read)):
            triads = self._next()
            if triads is not None:
                found.append(Past(self._since + self._read, triads))
        return found

    def _next(self) -> Floats | None:
        """Read the next half beat of the reading, and return the log-probabilities [24] of its triad.

        Returns None if the chord net has not judged it in hindsight yet.
        """
        self._read += 1
        entry, judged = self._reading[self._read], self._read - DELAY
        inside = entry.inside
        if inside is None:
            share = np.zeros((GUESSES, 12), np.float32)
            if judged >= 0:
                share = np.exp(self._reading[judged].guess).reshape(GUESSES, 12)
            # the inputs `heard` of a half beat describe the half beat before it
            inside = self._layer.inputs(np.concatenate((self._reading[self._read - 1].heard, share)), entry.place)
            if judged >= 0:
                entry.inside = inside
        self._state = self._layer.after(self._state, inside)
        return None if judged < 0 else log_share(self._layer.out(self._state).ravel()[:24])


@cache
def shipped_arrays() -> dict[str, npt.NDArray[Any]]:
    """Read the weights of the net from the package and return them by name. The file is read only once."""
    with np.load(FILE, allow_pickle=False) as data:
        return {name: data[name] for name in data.files}
