"""Finds the places in a left hand that one human hand could not play."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from device.events import Send

MOST_KEYS = 5
"""Keys that one hand holds down at most: one for each finger."""
WIDEST = 16
"""Largest distance in semitones from the lowest to the highest key down: about as far as one hand reaches."""
MOVES = ((0.125, 12.0), (0.25, 24.0))
"""(seconds, semitones): the hand's centre moves at most this many semitones within this time.

The centre lies half-way between the lowest and the highest key.
"""

Rows = npt.NDArray[np.float64]
"""Notes as an array [notes, 3]: onset and offset in seconds, MIDI pitch."""


def rows_of(sends: Sequence[Send]) -> Rows:
    """Return the notes that the messages `sends` play, [notes, 3]: onset and offset in seconds, MIDI pitch.

    A note without a note_off has an infinite offset.
    """
    down: dict[int, int] = {}
    rows: list[list[float]] = []
    for send in sorted(sends, key=lambda s: (s.due_s, s.kind != "note_off")):
        if send.kind == "note_on":
            down[send.pitch] = len(rows)
            rows.append([send.due_s, np.inf, send.pitch])
        elif send.kind == "note_off" and send.pitch in down:
            rows[down.pop(send.pitch)][1] = send.due_s
    return np.array(rows, np.float64).reshape(-1, 3)


def faults(left: Rows, right: Rows, known_after_s: float) -> list[str]:
    """Return one word for each thing that no hand can play: `keys`, `span`, `crossing` or `leap`.

    `keys` means too many keys down, `span` keys too far apart, `crossing` a left-hand key at or above a right-hand key,
    and `leap` a move too far in too short a time. A right-hand key counts for `crossing` once it has been down for
    `known_after_s` seconds, since the left hand cannot avoid a key that it does not know yet.
    """
    found: list[str] = []
    centres: list[tuple[float, float]] = []
    for time in np.unique(left[:, 0]):
        down = left[(left[:, 0] <= time) & (left[:, 1] > time), 2]
        struck = left[left[:, 0] == time, 2]
        if len(down) > MOST_KEYS:
            found.append("keys")
        if np.ptp(down) > WIDEST:
            found.append("span")
        above = right[(right[:, 0] <= time - known_after_s) & (right[:, 1] > time), 2]
        if len(above) and struck.max() >= above.min():
            found.append("crossing")
        centre = float(down.min() + down.max()) / 2
        centres = [(t, c) for t, c in centres if time - t <= MOVES[-1][0]]
        if any(time - t <= within and abs(centre - c) > most for t, c in centres for within, most in MOVES):
            found.append("leap")
        centres.append((float(time), centre))
    return found
