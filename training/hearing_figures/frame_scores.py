"""Scores the probabilities of all keys in single frames, as papers on the prediction of notes do.

MusicNet's paper (Thickstun, Harchaoui and Kakade, ICLR 2017, arXiv 1611.09827) scores them by their average precision,
and by precision and recall at a threshold.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.bundles.bundle import Bundle
from device.errors import UserError
from device.events import KEYS, LOWEST_KEY
from device.hearing.gate_spec import GateSpec
from device.hearing.transcriber import FRAME
from training.hearing_figures.cases import case_of
from training.hearing_figures.takes import Take
from training.note_scores import Notes

NAMES = 12
"""Number of note names: the pitch classes from C."""
ALLOWED = (0, 1, 2)
"""Numbers of wrong keys in a frame, for which the share of frames with at most so many is stated."""

Labels = npt.NDArray[np.uint8]
"""Array of labels, [frames, 88 keys or 12 names]: 1 if the frame's window meets a note of the key or name, else 0."""
Posteriors = npt.NDArray[np.float32]
"""Probability that each key sounds in each frame, [frames, 88 keys or 12 names]."""


def frame_labels(notes: Notes, frames: int, hop_s: float, window_s: float, *, names: bool) -> Labels:
    """Return the labels of a recording's frames, [frames, 88 keys], or 12 note names if `names` is true.

    A label is 1 if the frame's window overlaps a note of that key or name, else 0. The window of frame k is centred k
    hops after the start of the recording. A note that no key of the piano has is left out.
    """
    out = np.zeros((frames, NAMES if names else KEYS), np.uint8)
    for onset, offset, pitch, _ in notes:
        first = math.floor((onset - window_s / 2) / hop_s) + 1
        last = math.ceil((offset + window_s / 2) / hop_s) - 1
        column = int(pitch) % NAMES if names else int(pitch) - LOWEST_KEY
        if 0 <= column < out.shape[1]:
            out[max(first, 0) : max(last + 1, 0), column] = 1
    return out


@dataclass
class FrameCount:
    """Counts the right, false and missed keys in all frames of some recordings, at one threshold."""

    threshold: float
    hits: int = 0
    ghosts: int = 0
    missed: int = 0
    errors: npt.NDArray[np.int64] | None = None
    """Number of frames with 0, 1, 2, ... wrong keys."""

    def add(self, posteriors: Posteriors, labels: Labels) -> None:
        """Compare a recording's `posteriors` with its `labels`, both [frames, keys], and add to the counts."""
        on, wanted = posteriors >= self.threshold, labels.astype(bool)
        self.hits += int((on & wanted).sum())
        self.ghosts += int((on & ~wanted).sum())
        self.missed += int((~on & wanted).sum())
        counted = np.bincount((on ^ wanted).sum(axis=1), minlength=labels.shape[1] + 1)
        self.errors = counted if self.errors is None else self.errors + counted

    @property
    def precision(self) -> float:
        """Return the precision, 0 to 1: the share of the predicted keys that really sound, over all frames.

        It is 1 if no key is predicted.
        """
        return self.hits / (self.hits + self.ghosts) if self.hits + self.ghosts else 1.0

    @property
    def recall(self) -> float:
        """Return the recall, 0 to 1: the share of the sounding keys that are predicted, over all frames.

        It is 1 if no key sounds.
        """
        return self.hits / (self.hits + self.missed) if self.hits + self.missed else 1.0

    @property
    def f1(self) -> float:
        """Return the F1 of all keys in all frames, 0 to 1. It is 1 if no key sounds and none is predicted."""
        total = 2 * self.hits + self.ghosts + self.missed
        return 2 * self.hits / total if total else 1.0

    def accuracy(self, allowed: int) -> float:
        """Return the share of frames, 0 to 1, with at most `allowed` wrong keys. It is 0 if nothing was counted."""
        return float(self.errors[: allowed + 1].sum() / self.errors.sum()) if self.errors is not None else 0.0


def frame_table(counts: list[FrameCount], allowed: Sequence[int] = ALLOWED) -> str:
    """Return the scores of single frames as text, with a line for each threshold."""
    lines = []
    for count in counts:
        right = ", ".join(f"<= {n} wrong keys {100 * count.accuracy(n):.1f} %" for n in allowed)
        scores = f"frame F1 {100 * count.f1:.1f}, P {100 * count.precision:.1f}, R {100 * count.recall:.1f}"
        lines.append(f"  threshold {count.threshold:g}: {scores}; frames with {right}")
    return "\n".join(lines)


def average_precision(posteriors: list[Posteriors], labels: list[Labels]) -> float:
    """Return the average precision of all keys in all frames, 0 to 1: the area under the precision-recall curve.

    Thickstun et al. (ICLR 2017) score the prediction of notes on MusicNet with it. Raises UserError if no key sounds,
    or if scikit-learn is not installed.
    """
    try:
        from sklearn.metrics import average_precision_score
    except ImportError:
        raise UserError("The average precision needs scikit-learn: pip install 'lefthand[train]'.") from None
    wanted = np.concatenate([array.ravel() for array in labels])
    if not wanted.any():
        raise UserError("No key sounds in these recordings, so there is no average precision.")
    return float(average_precision_score(wanted, np.concatenate([array.ravel() for array in posteriors])))


@dataclass(frozen=True)
class FrameScores:
    """Holds the scores of a transcriber in single frames: its average precision, and a count for each threshold."""

    average_precision: float
    counts: list[FrameCount]

    def told(self) -> str:
        """Return the scores as text: a line with the average precision, and one for each threshold."""
        return f"  average precision of frames {100 * self.average_precision:.1f}\n{frame_table(self.counts)}"

    def to_dict(self) -> dict[str, float]:
        """Return the scores by name, 0 to 1, for a JSON file."""
        rows = {"average_precision": round(self.average_precision, 4)}
        for count in self.counts:
            rows[f"precision at {count.threshold:g}"] = round(count.precision, 4)
            rows[f"recall at {count.threshold:g}"] = round(count.recall, 4)
        return rows


def frames_of_bundle(bundle: Bundle, takes: Iterable[Take], thresholds: Sequence[float]) -> FrameScores:
    """Return the scores of the transcriber of `bundle` in all frames of `takes`, at each of `thresholds`.

    Each take is read when its turn comes, so a large data set need not fit into memory as sound. Raises UserError if
    no key sounds in the takes.
    """
    hop_s, counts = bundle.features.hop_s, [FrameCount(t) for t in thresholds]
    spec = {k: v for k, v in bundle.manifest.gate.items() if k in GateSpec.__dataclass_fields__}
    delays = GateSpec.from_dict(spec).delays()
    posteriors, labels = [], []
    for take in takes:
        posteriors.append(undelayed(case_of(bundle, take).posteriors[..., FRAME], delays))
        # frame k of the device is the hop from k to k + 1 hops after the start
        moved = take.notes - [hop_s / 2, hop_s / 2, 0, 0]
        labels.append(frame_labels(moved, len(posteriors[-1]), hop_s, hop_s, names=False))
        for count in counts:
            count.add(posteriors[-1], labels[-1])
    return FrameScores(average_precision(posteriors, labels), counts)


def undelayed(posteriors: Posteriors, delays: npt.NDArray[np.int64]) -> Posteriors:
    """Return the posteriors (probabilities of keys) [frames, 88], with each key moved back by its delay in frames.

    A transcriber reports a frame some frames later. After the move, each row belongs to its own frame. The last rows,
    for which no report came, are 0.
    """
    out = np.zeros_like(posteriors)
    for key, late in enumerate(delays):
        out[: len(out) - late, key] = posteriors[late:, key]
    return out
