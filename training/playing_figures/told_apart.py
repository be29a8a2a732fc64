"""Trains a classifier to tell a left hand from the true one, and tests it on pieces that it has not learnt from.

It is a classifier two-sample test (Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017): an
accuracy of 50 % means that the classifier cannot tell. The classifier, called the listener, is a logistic regression on
the features of `training.playing_figures.listener` and their squares.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FOLDS = 10
"""Number of parts into which the pieces are divided. Each part is judged by a listener that learnt from the others."""
PENALTY = 25.0
"""Weight of the sum of squared coefficients against the sum of the windows' losses. It keeps some hundred windows from
being learnt by heart with twice as many coefficients as there are features."""
LARGEST = 4.0
"""Greatest value of a standardised feature, in standard deviations. A greater one counts as this."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def folds(groups: Ints, number: int = FOLDS, seed: int = 0) -> Iterator[tuple[Ints, Ints]]:
    """Yield for each part the indices of the windows to learn from and of those to judge.

    `groups` [n] is the number of each window's piece. All windows of one piece are in the same part, which `seed`
    draws.
    """
    order = np.random.default_rng(seed).permutation(np.unique(groups))
    part = {int(piece): i % number for i, piece in enumerate(order)}
    parts = np.array([part[int(piece)] for piece in groups])
    for i in range(min(number, len(order))):
        yield np.flatnonzero(parts != i), np.flatnonzero(parts == i)


class LogisticListener:
    """A logistic regression on standardised features and their squares. NaN stands for a feature without a value."""

    def __init__(self, x: Floats, y: Ints) -> None:
        """Learn from the windows `x` [n, features] with the labels `y` [n]: 1 for the true hand, 0 for the other."""
        from scipy.optimize import minimize

        known = ~np.isnan(x)
        count = np.maximum(known.sum(axis=0), 1)
        self._mean = np.where(known, x, 0.0).sum(axis=0) / count
        spread = np.sqrt((np.where(known, x - self._mean, 0.0) ** 2).sum(axis=0) / count)
        self._spread = np.where(spread > 1e-9, spread, 1.0)
        inputs = self._inputs(x)
        sign = 2.0 * y - 1.0

        def loss(weights: Floats) -> tuple[float, Floats]:
            margin = sign * (inputs @ weights)
            wrong = sign / (1.0 + np.exp(np.clip(margin, -50.0, 50.0)))
            kept = np.append(weights[:-1], 0.0)
            value = np.logaddexp(0.0, -margin).sum() + PENALTY / 2 * float(kept @ kept)
            return float(value), PENALTY * kept - inputs.T @ wrong

        found = minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 400})
        self._weights = np.asarray(found.x)

    def _inputs(self, x: Floats) -> Floats:
        z = np.clip(np.nan_to_num((x - self._mean) / self._spread), -LARGEST, LARGEST)
        return np.hstack([z, z**2 - 1.0, np.ones((len(z), 1))])

    def __call__(self, x: Floats) -> Floats:
        """Return the logit of "this is the true hand" for each window of `x` [n, features]."""
        return np.asarray(self._inputs(x) @ self._weights)


def accuracy(x: Floats, y: Ints, groups: Ints, seed: int = 0) -> float:
    """Return the share of windows, 0 to 1, that a `LogisticListener` judges rightly.

    The listener has not learned from the pieces that it judges. `x` [n, features] are windows, `y` [n] is 1 for the
    true hand, and `groups` [n] numbers the pieces. `seed` divides the pieces into parts. NaN with fewer than two
    pieces.
    """
    if len(np.unique(groups)) < 2:
        return float("nan")
    right = np.zeros(len(y), bool)
    for learn, judge in folds(groups, seed=seed):
        right[judge] = (LogisticListener(x[learn], y[learn])(x[judge]) > 0) == (y[judge] == 1)
    return float(right.mean())
