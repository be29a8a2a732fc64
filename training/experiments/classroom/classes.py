"""Compares classifiers of short sounds: a small net in one phase and in two, kNN and logistic regression.

The net is an ensemble of nets with different initial weights, so each probability has a mean and a variance. In one
phase, a net chooses among all classes. In two phases, one net finds silence, and another one names the note.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import UserError
from training.experiments.classroom.features import of_all
from training.experiments.classroom.judged import Array, Judged
from training.experiments.classroom.sounds import SILENCE, Sounds, make

MEMBERS = 5
"""Number of nets in the ensemble."""
HIDDEN = 32
"""Number of units in a net's hidden layer."""
NEIGHBOURS = 5
"""Number of neighbours that vote in kNN (k nearest neighbours)."""
TRAIN_EACH, TEST_EACH = 60, 40
"""Number of sounds of each class in the fit, and in the test."""
UMAP = {"n_neighbors": 5, "min_dist": 0.01}
"""Parameters of UMAP, as in the document that asks for this experiment."""


def _sklearn() -> Any:
    try:
        import sklearn.linear_model
        import sklearn.metrics
        import sklearn.neighbors
        import sklearn.neural_network
        import sklearn.pipeline
        import sklearn.preprocessing
    except ImportError:
        raise UserError("The class-room experiment needs scikit-learn: pip install 'lefthand[train]'.") from None
    return sklearn


def _net(seed: int) -> Any:
    sk = _sklearn()
    net = sk.neural_network.MLPClassifier((HIDDEN,), max_iter=400, random_state=seed)
    return sk.pipeline.make_pipeline(sk.preprocessing.StandardScaler(), net)


def _all_classes(fitted: Any, x: Array, classes: int) -> Array:
    """Return the probabilities [n, classes] of the classifier `fitted` for the features `x` [n, features].

    A class on which the classifier was not fitted has probability 0.
    """
    out = np.zeros((len(x), classes))
    out[:, fitted.classes_] = fitted.predict_proba(x)
    return out


def one_phase(x: Array, y: Array, test: Array, names: tuple[str, ...]) -> Judged:
    """Fit an ensemble of MEMBERS nets to the features `x` and classes `y`, and return its answers for `test`.

    Each net chooses among all classes. The mean and variance are those over the nets.
    """
    told = [_all_classes(_net(seed).fit(x, y), test, len(names)) for seed in range(MEMBERS)]
    return Judged(np.mean(told, axis=0), np.var(told, axis=0))


def two_phases(x: Array, y: Array, test: Array, names: tuple[str, ...]) -> Judged:
    """Fit an ensemble of MEMBERS pairs of nets to `x` and `y`, and return its answers for the features `test`.

    In each pair one net finds silence. The other is fitted without silence and names the note. Its probabilities are
    multiplied by the probability that something sounds. The mean and variance are those over the pairs.
    Raises UserError if silence is not among the classes, or if only one other class is.
    """
    if SILENCE not in names or len(names) < 3:
        raise UserError("Two phases need silence and at least two notes among the classes.")
    quiet = names.index(SILENCE)
    told = []
    for seed in range(MEMBERS):
        sounds = _all_classes(_net(seed).fit(x, (y != quiet).astype(int)), test, 2)[:, 1]
        notes = _all_classes(_net(seed).fit(x[y != quiet], y[y != quiet]), test, len(names))
        notes *= sounds[:, None]
        notes[:, quiet] = 1 - sounds
        told.append(notes)
    return Judged(np.mean(told, axis=0), np.var(told, axis=0))


def neighbours(x: Array, y: Array, test: Array, names: tuple[str, ...]) -> Judged:
    """Fit k nearest neighbours to the scaled features `x` and classes `y`, and return their answers for `test`.

    The variance is that of the vote of `NEIGHBOURS` neighbours.
    """
    sk = _sklearn()
    scaled = sk.pipeline.make_pipeline(
        sk.preprocessing.StandardScaler(), sk.neighbors.KNeighborsClassifier(NEIGHBOURS)
    ).fit(x, y)
    mean = _all_classes(scaled, test, len(names))
    return Judged(mean, mean * (1 - mean) / NEIGHBOURS)


def logistic(x: Array, y: Array, test: Array, names: tuple[str, ...]) -> Judged:
    """Fit a logistic regression to the scaled features `x` and classes `y`, and return its answers for `test`.

    There is one fit only, so the variance is 0.
    """
    sk = _sklearn()
    scaled = sk.pipeline.make_pipeline(
        sk.preprocessing.StandardScaler(), sk.linear_model.LogisticRegression(max_iter=1000)
    ).fit(x, y)
    mean = _all_classes(scaled, test, len(names))
    return Judged(mean, np.zeros_like(mean))


CLASSIFIERS: dict[str, tuple[str, Callable[..., Judged]]] = {
    "net, one phase": ("cqt", one_phase),
    "net, two phases": ("cqt", two_phases),
    "kNN of CQT": ("cqt", neighbours),
    "kNN of MFCC": ("mfcc", neighbours),
    "logistic of MFCC": ("mfcc", logistic),
    "kNN of LPC": ("lpc", neighbours),
    "logistic of LPC": ("lpc", logistic),
}
"""Name of a classifier -> the name of its features, and the function that fits it and returns its answers."""


def confusion(classes: Array, told: Array, count: int) -> Array:
    """Return the confusion matrix, int [count, count].

    Row i, column j is the number of sounds of class i that the classifier took for class j.
    """
    return np.asarray(_sklearn().metrics.confusion_matrix(classes, told, labels=list(range(count))))


def compare(names: tuple[str, ...], train_each: int, test_each: int, seed: int) -> tuple[Sounds, dict[str, Judged]]:
    """Fit all classifiers on new sounds, and test them on others.

    Returns the test sounds, and the answers of each classifier by its name. Two phases are left out if silence or a
    second note is not among the classes `names`. Raises UserError if fewer than two classes are given, if two are the
    same or one is unknown, or if scikit-learn or librosa is not installed.
    """
    train, test = make(names, train_each, seed), make(names, test_each, seed + 1)
    features = {kind: (of_all(kind, train.audio), of_all(kind, test.audio)) for kind in ("cqt", "mfcc", "lpc")}
    found = {}
    for name, (kind, judge) in CLASSIFIERS.items():
        if judge is two_phases and (SILENCE not in names or len(names) < 3):
            continue
        x, unheard = features[kind]
        found[name] = judge(x, train.classes, unheard, names)
    return test, found


def described(test: Sounds, found: dict[str, Judged]) -> str:
    """Return a text: the accuracy of each classifier, and the first one's confusion matrix and reliability by class."""
    lines = [f"{len(test.classes)} test sounds of {', '.join(test.names)}; accuracy in per cent:"]
    for name, judged in found.items():
        lines.append(f"  {name}: {100 * float((judged.told == test.classes).mean()):.1f}")
    first = next(iter(found))
    matrix = confusion(test.classes, found[first].told, len(test.names))
    width = max(map(len, test.names)) + 2
    lines += ["", f"{first}: rows are what was played, columns what was heard"]
    lines.append(" " * width + "".join(f"{name:>{width}}" for name in test.names))
    lines += [
        f"{name:>{width}}" + "".join(f"{n:>{width}}" for n in row) for name, row in zip(test.names, matrix, strict=True)
    ]
    lines += ["", "reliability of each class: share that is right when it is named, its mean probability, variance"]
    for number, name in enumerate(test.names):
        share, sure, variance = reliability(test.classes, found[first], number)
        lines.append(f"  {name}: {share:.3f}, {sure:.3f}, {variance:.5f}")
    return "\n".join(lines)


def reliability(classes: Array, judged: Judged, number: int) -> tuple[float, float, float]:
    """Return how far class `number` can be trusted: share that is right, mean probability, mean variance.

    Only the sounds count that the classifier took for this class. All three values are nan if there are none.
    """
    named = judged.told == number
    if not named.any():
        return float("nan"), float("nan"), float("nan")
    return (
        float((classes[named] == number).mean()),
        float(judged.mean[named, number].mean()),
        float(judged.variance[named, number].mean()),
    )


def embedded(features: Array, seed: int) -> Array:
    """Map features [n, k] to two dimensions with UMAP, and return the points [n, 2]. Shows a progress bar.

    Raises UserError if umap-learn is not installed.
    """
    try:
        import umap
    except ImportError:
        raise UserError("--action umap needs umap-learn: pip install 'lefthand[train]'.") from None
    scaled = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    return np.asarray(
        umap.UMAP(**UMAP, random_state=seed, n_jobs=1, tqdm_kwds={"disable": False}).fit_transform(scaled)
    )


def write_page(test: Sounds, found: dict[str, Judged], path: Path) -> None:
    """Write a web page with pictures of the test to `path`.

    The page has the confusion matrix of each classifier. For each class it has the reliability, the variance and the
    distribution function of the variance, all from the first classifier.
    """
    from training.experiments.classroom.pictures import cdf_of_variance, matrix_of, reliability_of
    from training.hearing_figures.report import page, picture

    parts = [
        (
            f"{name}: {100 * float((judged.told == test.classes).mean()):.1f} % right",
            picture(matrix_of(confusion(test.classes, judged.told, len(test.names)), test.names), (5, 4)),
        )
        for name, judged in found.items()
    ]
    first = next(iter(found))
    parts.append((f"Reliability by class: {first}", picture(reliability_of(test, found[first]), (8, 4))))
    parts.append((f"Variance by class and its CDF: {first}", picture(cdf_of_variance(test, found[first]), (9, 4))))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(f"Classes: {', '.join(test.names)}", parts), encoding="utf-8")
