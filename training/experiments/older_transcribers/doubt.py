"""Measures how far the probabilities of an older transcriber can be trusted: one net, dropout, and an ensemble.

Monte Carlo dropout (Gal and Ghahramani 2016) runs one net several times with its dropout left on. An ensemble
(Lakshminarayanan et al. 2017) has several nets, each fitted from other initial weights. Both give each key a mean
probability and a variance.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from training.experiments.older_transcribers.cache import LabelledRecording, labels_of, load_recordings, load_statistics
from training.experiments.older_transcribers.fit import Fitted, fit
from training.experiments.older_transcribers.setup import NotesSetup, fit_folder
from training.hearing_figures.frame_scores import Posteriors
from training.hearing_figures.report import page, picture

PASSES = 8
"""Number of runs with dropout."""
BINS = 15
"""Number of bins of equal width from which the calibration error is computed."""
LIKELY = 0.05
"""Lowest probability, by any of the compared ways, of a key in a frame that counts in calibration and doubt.

Nearly all keys are silent in nearly all frames, and easily known to be. They would hide the others.
"""
SURE = 1e-6
"""Probabilities are kept this far from 0 and 1, so that the likelihood of a wrong one is not 0."""
RIGHT, WRONG = "#2b8a3e", "#c2255c"
"""Colours of right and wrong decisions in the picture."""

Values: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Belief:
    """Holds the mean and the variance of the probability of each key in each frame, [n, keys], of all recordings.

    `nets` is the number of nets, `cpu_s` the CPU time of listening in seconds.
    """

    mean: Values
    variance: Values
    nets: int
    cpu_s: float


def members_of(setup: NotesSetup, cache: Path, count: int) -> list[Path]:
    """Return the folders of `count` fits of `setup` that differ in their seed. Fit those that are missing.

    The first is the fit of `--action train-val`. Raises UserError if the recordings of the fit were not processed.
    """
    folders = []
    for number in range(count):
        own = replace(setup, seed=setup.seed + number)
        folder = fit_folder(cache, f"{setup.name}-seed-{own.seed}" if number else setup.name, dev=True)
        if not (folder / "pitch.weights.h5").is_file():
            train, dev = (load_recordings(cache, setup.spectrum, which) for which in ("train", "dev"))
            fit(own, train, dev, load_statistics(cache, setup.spectrum), folder)
        folders.append(folder)
    return folders


def believed(runs: Iterable[Callable[[Any], Posteriors]], recordings: list[LabelledRecording], nets: int) -> Belief:
    """Return mean and variance over `runs` of the probabilities of all keys in all frames of the recordings.

    A run is a function that gets the levels of a recording and returns the probabilities.
    """
    began, count = time.process_time(), 0
    total: Any = 0.0
    squares: Any = 0.0
    for run in runs:
        told = np.concatenate([run(recording.levels) for recording in recordings]).astype(np.float64)
        total, squares, count = total + told, squares + told**2, count + 1
    mean = total / count
    variance = np.maximum(squares / count - mean**2, 0.0)
    return Belief(mean.astype(np.float32), variance.astype(np.float32), nets, time.process_time() - began)


def calibration_error(sure: Values, right: npt.NDArray[np.bool_]) -> float:
    """Return the expected calibration error of probabilities `sure` [n] over `BINS` bins of equal width, 0 to 1.

    It is the mean distance, weighted by the number in each bin, between the mean probability and the share of `right`
    [n]. It is nan if there is none.
    """
    if not len(sure):
        return float("nan")
    at = np.minimum((sure * BINS).astype(int), BINS - 1)
    count = np.bincount(at, minlength=BINS)
    gaps = np.abs(np.bincount(at, sure, BINS) - np.bincount(at, right, BINS))
    return float(gaps.sum() / count.sum())


def finds_errors(doubt: Values, wrong: npt.NDArray[np.bool_]) -> float:
    """Return how well `doubt` [n] tells wrong decisions from right ones: the area under the ROC curve.

    It is the probability that a wrong decision has more doubt than a right one: .5 by chance, at best 1. It is nan if
    all decisions are right, or all are wrong.
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(wrong, doubt)) if 0 < wrong.sum() < len(wrong) else float("nan")


def figures_of(belief: Belief, labels: npt.NDArray[np.uint8], likely: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Return the figures of one way to compute probabilities, by name.

    `likelihood` is the negative log-likelihood of all keys in a frame, in nats, averaged over frames. `brier` is the
    mean squared error of all keys in all frames. The calibration error, and how well the doubt finds errors, are those
    of the keys and frames that are `likely` [n, keys]. The doubt is the variance, or p (1 - p) if there is one run.
    """
    from sklearn.metrics import average_precision_score

    true, mean = labels.astype(bool), np.clip(belief.mean, SURE, 1 - SURE).astype(np.float64)
    cost = -np.where(true, np.log(mean), np.log1p(-mean))
    doubt = belief.variance if belief.variance.any() else (belief.mean * (1 - belief.mean)).astype(np.float32)
    wrong = (belief.mean >= 0.5) != true
    return {
        "average precision": float(average_precision_score(true.ravel(), belief.mean.ravel())),
        "likelihood": float(cost.sum(axis=1).mean()),
        "brier": float(((mean - true) ** 2).mean()),
        "calibration error": calibration_error(belief.mean[likely], true[likely]),
        "doubt finds errors": finds_errors(doubt[likely], wrong[likely]),
    }


def doubt_table(beliefs: dict[str, Belief], labels: npt.NDArray[np.uint8], likely: npt.NDArray[np.bool_]) -> str:
    """Return the figures of all ways as a table in Markdown."""
    lines = [
        "| way | nets | average precision | negative log-likelihood | Brier score | calibration error "
        "| doubt finds errors | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, belief in beliefs.items():
        row = figures_of(belief, labels, likely)
        lines.append(
            f"| {name} | {belief.nets} | {100 * row['average precision']:.1f} | {row['likelihood']:.3f} "
            f"| {row['brier']:.4f} | {row['calibration error']:.3f} | {row['doubt finds errors']:.3f} "
            f"| {belief.cpu_s:.0f} |"
        )
    return "\n".join(lines)


def drawn(
    beliefs: dict[str, Belief], labels: npt.NDArray[np.uint8], likely: npt.NDArray[np.bool_]
) -> Callable[[Any], None]:
    """Return a function that draws reliability and the distribution of the variance into a matplotlib figure.

    The left part has the share of sounding keys at each probability. The right part has the cumulative distribution of
    the variance, of right and of wrong decisions.
    """

    def draw(figure: Any) -> None:
        left, right = figure.subplots(1, 2)
        left.plot([0, 1], [0, 1], color="grey", lw=0.8)
        true = labels.astype(bool)[likely]
        for (name, belief), line in zip(beliefs.items(), ("-", "--", ":"), strict=False):
            sure, variance = belief.mean[likely], belief.variance[likely]
            at = np.minimum((sure * BINS).astype(int), BINS - 1)
            there = np.flatnonzero(np.bincount(at, minlength=BINS))
            left.plot([sure[at == b].mean() for b in there], [true[at == b].mean() for b in there], line, label=name)
            if not belief.variance.any():
                continue
            for wrong, colour in ((False, RIGHT), (True, WRONG)):
                part = np.sort(variance[((sure >= 0.5) != true) == wrong])
                if len(part):
                    share = np.linspace(0, 1, 200)
                    kind = "wrong" if wrong else "right"
                    right.plot(np.quantile(part, share), share, line, color=colour, label=f"{name}, {kind}")
        left.set(xlabel="probability", ylabel="share that sounds", xlim=(0, 1), ylim=(0, 1))
        right.set(xlabel="variance", ylabel="share of decisions below", ylim=(0, 1.02))
        left.legend(fontsize="small")
        right.legend(fontsize="small")

    return draw


def measure_doubt(setup: NotesSetup, cache: Path, which: str, most: int, members: int, out: Path) -> str:
    """Compare one net, dropout and an ensemble of `members` nets on the set `which`, and return a table in Markdown.

    Only the first `most` recordings of the set are used.

    The table, a reliability diagram and the distribution of the variance are written to doubt.html in `out`. Nets that
    are missing are fitted. Raises UserError if recordings have not been processed.
    """
    recordings = load_recordings(cache, setup.spectrum, which)[:most]
    labels = np.concatenate(labels_of(recordings, setup.spectrum, names=setup.names))
    folders = members_of(setup, cache, members)
    nets = [Fitted.load(folder) for folder in folders]
    dropping = Fitted.load(folders[0], dropping=True)
    beliefs = {
        "one net": believed([nets[0].posteriors], recordings, 1),
        f"dropout, {PASSES} runs": believed([dropping.posteriors] * PASSES, recordings, 1),
        f"ensemble of {members}": believed([net.posteriors for net in nets], recordings, members),
    }
    likely = np.any([belief.mean >= LIKELY for belief in beliefs.values()], axis=0)
    table = doubt_table(beliefs, labels, likely)
    out.mkdir(parents=True, exist_ok=True)
    parts = [
        ("Figures", f"<pre>{table}</pre>"),
        ("Reliability, and the distribution of the variance", picture(drawn(beliefs, labels, likely), (11, 4.5))),
    ]
    path = out / "doubt.html"
    path.write_text(page(f"Doubt of {setup.name} on {len(recordings)} recordings of {which}", parts), encoding="utf-8")
    told = f"{setup.name}, {which}: {len(labels):,} frames, {int(likely.sum()):,} likely keys in them"
    return f"{told}\n\n{table}\n\n{path}"
