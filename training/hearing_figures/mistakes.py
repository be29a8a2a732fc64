"""The mistakes of the hearing, note by note: missed labels and false notes ("ghosts"), each with its kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from training.note_scores import Notes, matched

TOLERANCE_S = 0.05
LATE_S = 0.15
"""A note of the same pitch this near a missed label was heard, but at the wrong time."""
TOGETHER_S = 0.05
OCTAVE_LIKE = (12, 19, 24, 28, 31, 36)
"""Semitones between a tone and its partials."""
KINDS = ("late", "repeated", "octave", "neighbour", "other")


@dataclass(frozen=True)
class Judged:
    """Indices of labels and of found notes by what became of them; `kinds` counts the ghosts by kind."""

    hits: list[tuple[int, int]]
    """(label, found)"""
    missed: list[int]
    ghosts: list[int]
    kinds: Counter[str]


def judge(found: Notes, wanted: Notes) -> Judged:
    """Match the notes of a take with its labels, and tell the ghosts apart."""
    hits = matched(found, wanted, TOLERANCE_S)
    of_labels, of_found = {i for i, _ in hits}, {j for _, j in hits}
    missed = [i for i in range(len(wanted)) if i not in of_labels]
    ghosts = [j for j in range(len(found)) if j not in of_found]
    kinds = Counter(_kind(found[j], wanted, wanted[missed]) for j in ghosts)
    return Judged(hits, missed, ghosts, kinds)


def _kind(ghost: Notes, wanted: Notes, missed: Notes) -> str:
    """`late`: the label is there, elsewhere in time; `repeated`: the key sounds already; `octave`, `neighbour`: of a
    label struck or sounding then."""
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
