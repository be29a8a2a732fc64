"""Finds the mistakes of the hearing: missed labels, and false notes ("ghosts") with their kinds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from training.note_scores import Notes, matched

TOLERANCE_S = 0.05
"""Seconds. A note is a hit if its onset is this near to its label: the usual limit of transcription scores."""
LATE_S = 0.15
"""Seconds. A ghost this near to a missed label of its pitch is the right note at the wrong time."""
TOGETHER_S = 0.05
"""Seconds by which a ghost may miss a label and still belong to it."""
OCTAVE_LIKE = (12, 19, 24, 28, 31, 36)
"""Semitones from a tone to its overtones. A ghost at such a distance is heard from an overtone."""
KINDS = ("late", "repeated", "octave", "neighbour", "other")


@dataclass(frozen=True)
class Judged:
    """The indices of hits, missed labels and ghosts; `kinds` counts the ghosts of each kind."""

    hits: list[tuple[int, int]]
    """Pairs of indices: (label, found note)."""
    missed: list[int]
    ghosts: list[int]
    kinds: Counter[str]


def judge(found: Notes, wanted: Notes) -> Judged:
    """Match the notes found in a take with its labels, and sort the ghosts into kinds."""
    hits = matched(found, wanted, TOLERANCE_S)
    of_labels, of_found = {i for i, _ in hits}, {j for _, j in hits}
    missed = [i for i in range(len(wanted)) if i not in of_labels]
    ghosts = [j for j in range(len(found)) if j not in of_found]
    kinds = Counter(_kind(found[j], wanted, wanted[missed]) for j in ghosts)
    return Judged(hits, missed, ghosts, kinds)


def _kind(ghost: Notes, wanted: Notes, missed: Notes) -> str:
    """The kind of a ghost.

    `late`: a missed label of this pitch is near in time. `repeated`: the key sounds already. `octave`: another key
    sounds, and this pitch is an overtone's distance from it. `neighbour`: a key within two semitones sounds.
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
