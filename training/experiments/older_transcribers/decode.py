"""Turns an older transcriber's posteriors (probabilities that keys sound) into notes, and scores the notes.

mir_eval's rules decide which notes are right.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from device.events import LOWEST_KEY
from training.experiments.older_transcribers.chunks import fold
from training.experiments.older_transcribers.spectra import Spectrum
from training.hearing_figures.frame_scores import NAMES
from training.note_scores import Notes, Score, matched, score

SHORTEST_S = 0.03
"""Seconds that a note lasts at least, so that it does not end before it begins."""
VELOCITY = 64
"""MIDI velocity of every note, because these nets do not estimate it."""


@dataclass(frozen=True)
class Decoding:
    """Holds the numbers with which `decode` turns posteriors (probabilities that keys sound) into notes.

    A key sounds in each frame where its posterior reaches `threshold`. Onsets move by `shift_s` seconds, ends by
    `end_shift_s` seconds.
    """

    threshold: float = 0.5
    shift_s: float = 0.0
    end_shift_s: float = 0.0

    def save(self, folder: Path) -> None:
        """Write these numbers into the file decoding.json in `folder`, the folder of the fit."""
        (folder / "decoding.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def load(cls, folder: Path) -> Decoding | None:
        """Read and return the numbers saved in `folder`, the folder of a fit, or None if nothing was saved there."""
        path = folder / "decoding.json"
        return cls(**json.loads(path.read_text())) if path.is_file() else None


def decode(posteriors: npt.NDArray[np.float32], decoding: Decoding, spectrum: Spectrum) -> Notes:
    """Turn posteriors [frames, keys or names] into notes, and return them in the order of their onsets.

    A note is [onset and end in seconds, MIDI pitch, velocity]. Note names become pitches in the octave from C4.

    A key sounds while its posterior reaches the threshold. A note begins at the end of the first such frame's window,
    at the interpolated time at which the posterior crosses the threshold. A note ends at the start of the last such
    frame's window. This inverts the rule of the labels.
    """
    frames, keys = posteriors.shape
    on = np.zeros((frames + 2, keys), bool)
    on[1:-1] = posteriors >= decoding.threshold
    lowest = 60 if keys == NAMES else LOWEST_KEY
    rows = []
    for key in range(keys):
        edges = np.diff(on[:, key].astype(np.int8))
        for first, stop in zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), strict=True):
            at = float(first)
            if first:
                before, after = float(posteriors[first - 1, key]), float(posteriors[first, key])
                at -= (after - decoding.threshold) / max(after - before, 1e-9)
            onset = at * spectrum.hop_s + spectrum.window_s / 2 + decoding.shift_s
            offset = (stop - 1) * spectrum.hop_s - spectrum.window_s / 2 + decoding.end_shift_s
            rows.append((max(onset, 0.0), max(offset, onset + SHORTEST_S, SHORTEST_S), lowest + key, VELOCITY))
    return np.array(sorted(rows), np.float64).reshape(-1, 4)


def as_asked(notes: Notes, names: bool) -> Notes:
    """Return notes in the form that is scored: folded into one octave if `names` is true, else unchanged."""
    return fold(notes) if names else notes


def fit_decoding(
    heard: list[npt.NDArray[np.float32]], wanted: list[Notes], thresholds: Sequence[float], spectrum: Spectrum
) -> tuple[Decoding, float]:
    """Return the decoding with the best onset F1 at 50 ms on the recordings, and this F1, 0 to 1.

    `heard` has the posteriors of each recording, and `wanted` its true notes. For each of `thresholds`, onsets and ends
    are first moved by their median errors.
    """
    best, best_f1 = Decoding(), -1.0
    for threshold in thresholds:
        found = [decode(p, Decoding(threshold), spectrum) for p in heard]
        begins, ends = [0.0], [0.0]
        for notes, label in zip(found, wanted, strict=True):
            for i, j in matched(notes, label, 0.15):
                begins.append(label[i, 0] - notes[j, 0])
                ends.append(label[i, 1] - notes[j, 1])
        trial = Decoding(float(threshold), float(np.median(begins)), float(np.median(ends)))
        found = [decode(p, trial, spectrum) for p in heard]
        f1 = float(np.mean([onset_f1(notes, label) for notes, label in zip(found, wanted, strict=True)]))
        if f1 > best_f1:
            best, best_f1 = trial, f1
    return best, best_f1


def onset_f1(found: Notes, wanted: Notes, tolerance_s: float = 0.05) -> float:
    """Return the F1 of the `found` notes, 0 to 1: the harmonic mean of precision and recall.

    A note is right if its pitch is right and its onset within `tolerance_s` seconds. F1 is 1 if there are no notes at
    all.
    """
    total = len(found) + len(wanted)
    return 2 * len(matched(found, wanted, tolerance_s)) / total if total else 1.0


def note_line(found: list[Notes], wanted: list[Notes], seconds: list[float]) -> tuple[str, list[Score]]:
    """Return a line of text with the mean scores over all recordings in per cent, and the score of each recording."""
    scores = [score(f, w, s) for f, w, s in zip(found, wanted, seconds, strict=True)]
    columns = (
        ("on@50", "onset_50"),
        ("on@30", "onset_30"),
        ("prec", "precision"),
        ("recall", "recall"),
        ("offset", "offset"),
        ("frame", "frame"),
    )
    told = " ".join(f"{name} {100 * float(np.mean([getattr(s, key) for s in scores])):.1f}" for name, key in columns)
    return told, scores
