"""Compares heard notes with labels: mir_eval's transcription metrics on the project's own arrays."""

from __future__ import annotations

from dataclasses import dataclass

import mir_eval
import numpy as np
import numpy.typing as npt

from device.events import MIDDLE_C

Notes = npt.NDArray[np.float64]
"""Array [notes, 4] with the columns onset (s), offset (s), MIDI pitch and velocity."""

SHORTEST_S = 0.01
"""Least length in seconds of a note that is scored. A shorter one is made longer."""
FRAME_S = 0.01
"""Length in seconds of a frame for the score of frames."""


@dataclass(frozen=True)
class Score:
    """Holds the scores of one recording, each from 0 (worst) to 1 (best).

    A found note is right if its pitch is right and its onset is near enough. `onset_50` and `onset_30` are the F1 (the
    harmonic mean of precision and recall) for a limit of 50 and of 30 ms. `precision` and `recall` belong to 50 ms.
    `frame` is the F1 over all pairs of a pitch and 10 ms.
    """

    onset_50: float
    onset_30: float
    precision: float
    recall: float
    treble: float
    """Onset F1 at 50 ms of the notes from middle C up."""
    offset: float
    """F1 with onsets at 50 ms and offsets within 20 % or 50 ms."""
    frame: float
    onset_150: float
    """Onset F1 at 150 ms. With this limit, soft strokes of a real piano, which sound late, still count."""


def score(found: Notes, wanted: Notes, seconds: float) -> Score:
    """Return the scores of the notes `found` in a recording of length `seconds`. `wanted` are the true notes."""
    p, r, f50 = _onsets(found, wanted, 0.05)
    if len(found) and len(wanted):
        offset = mir_eval.transcription.precision_recall_f1_overlap(*_shape(wanted), *_shape(found))[2]
    else:
        offset = float(len(found) == len(wanted))
    return Score(
        f50,
        _onsets(found, wanted, 0.03)[2],
        p,
        r,
        _onsets(_treble(found), _treble(wanted), 0.05)[2],
        offset,
        _frames(found, wanted, seconds),
        _onsets(found, wanted, 0.15)[2],
    )


def matched(found: Notes, wanted: Notes, tolerance_s: float) -> list[tuple[int, int]]:
    """Match as many notes as possible by pitch and onset. Returns pairs (index in `wanted`, index in `found`)."""
    if not len(found) or not len(wanted):
        return []
    pairs: list[tuple[int, int]] = mir_eval.transcription.match_notes(
        *_shape(wanted), *_shape(found), onset_tolerance=tolerance_s, offset_ratio=None
    )
    return pairs


def _treble(notes: Notes) -> Notes:
    return notes[notes[:, 2] >= MIDDLE_C]


def _onsets(found: Notes, wanted: Notes, tolerance_s: float) -> tuple[float, float, float]:
    hits = len(matched(found, wanted, tolerance_s))
    p = hits / len(found) if len(found) else float(not len(wanted))
    r = hits / len(wanted) if len(wanted) else float(not len(found))
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


def _shape(notes: Notes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    ends = np.maximum(notes[:, 1], notes[:, 0] + SHORTEST_S)
    return np.column_stack([notes[:, 0], ends]), mir_eval.util.midi_to_hz(notes[:, 2])


def _frames(found: Notes, wanted: Notes, seconds: float) -> float:
    rolls = []
    for notes in (found, wanted):
        roll = np.zeros((int(seconds / FRAME_S) + 1, 128), bool)
        for on, off, pitch, _ in notes:
            roll[int(on / FRAME_S) : max(int(off / FRAME_S), int(on / FRAME_S) + 1), int(pitch)] = True
        rolls.append(roll)
    total = int(rolls[0].sum()) + int(rolls[1].sum())
    return 2 * int((rolls[0] & rolls[1]).sum()) / total if total else 1.0
