"""Finds the mistakes of the transcriber in a take: missed labels and ghosts.

A label is a note that was really played. A missed label was not heard. A ghost is a note that was heard but does not
match a label.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from training.note_scores import Notes, matched

TOLERANCE_S = 0.05
"""Seconds. A note is a hit if its onset is this near to its label: the usual limit of transcription scores."""
LATE_S = 0.15
"""Seconds. A ghost this near to a missed label of the same pitch is of the kind `late`: heard at a wrong time."""
TOGETHER_S = 0.05
"""Seconds. A key counts as sounding at a ghost's onset from this long before its label starts until this long after
it ends.
"""
OCTAVE_LIKE = (12, 19, 24, 28, 31, 36)
"""Semitones from a tone to its overtones. A ghost this far from a sounding key was probably heard from an overtone.

The distance counts upwards and downwards.
"""
KINDS = ("late", "repeated", "octave", "neighbour", "other")


@dataclass(frozen=True)
class Judged:
    """The indices of the hits, the missed labels and the ghosts of a take. `kinds` counts the ghosts of each kind."""

    hits: list[tuple[int, int]]
    """Pairs of indices: (label, found note)."""
    missed: list[int]
    ghosts: list[int]
    kinds: Counter[str]


def judge(found: Notes, wanted: Notes) -> Judged:
    """Match the notes `found` in a take with its labels `wanted`, and return hits, misses and ghosts.

    A ghost is a found note that matches no label. The ghosts of each kind are counted.
    """
    hits = matched(found, wanted, TOLERANCE_S)
    of_labels, of_found = {i for i, _ in hits}, {j for _, j in hits}
    missed = [i for i in range(len(wanted)) if i not in of_labels]
    ghosts = [j for j in range(len(found)) if j not in of_found]
    kinds = Counter(_kind(found[j], wanted, wanted[missed]) for j in ghosts)
    return Judged(hits, missed, ghosts, kinds)


def _kind(ghost: Notes, wanted: Notes, missed: Notes) -> str:
    """Return the kind of a ghost. The first kind that fits is chosen.

    `late`: a missed label of the same pitch is near in time. `repeated`: the ghost's key sounds already. `octave`:
    another key sounds, and the distance to it is one of `OCTAVE_LIKE`. `neighbour`: a key within two semitones sounds.
    `other`: none of these.
    """
    onset, pitch = ghost[0], ghost[2]
    if len(missed) and np.any((missed[:, 2] == pitch) & (np.abs(missed[:, 0] - onset) <= LATE_S)):
        return "late"
    sounding = wanted[(wanted[:, 0] <= onset + TOGETHER_S) & (wanted[:, 1] >= onset - TOGETHER_S)]
    apart = np.abs(sounding[:, 2] - pitch)
    if np.any(apart == 0):
        return "repeated"
    if np.isin(apart, OCTAVE_LIKE).any():
        return "octave"
    return "neighbour" if np.any(apart <= 2) else "other"
