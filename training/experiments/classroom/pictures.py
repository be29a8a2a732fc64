"""Draws the class-room experiment: confusion, reliability by class, variance with its distribution, and UMAP.

Each function returns another function, which gets a figure of matplotlib and draws in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from training.experiments.classroom.judged import Array, Judged
from training.experiments.classroom.sounds import Sounds

BINS = 5
"""Number of groups of equal size into which the picture of reliability divides the sounds by probability."""


def matrix_of(matrix: Array, names: tuple[str, ...]) -> Callable[[Any], None]:
    """Return a function that draws a confusion matrix. Rows are the played classes, columns the heard ones."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.imshow(matrix, cmap="Blues")
        for row, counts in enumerate(matrix.tolist()):
            for column, count in enumerate(counts):
                axes.text(column, row, str(count), ha="center", va="center", fontsize="small")
        axes.set_xticks(range(len(names)), names, rotation=45)
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="heard", ylabel="played")

    return draw


def reliability_of(test: Sounds, judged: Judged) -> Callable[[Any], None]:
    """Return a function that draws how far the probabilities can be trusted, with one line for each class.

    A line shows the true share of the class among the sounds against the probability that the classifier gives it.
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color="grey", lw=0.8)
        for number, name in enumerate(test.names):
            order = np.argsort(judged.mean[:, number])
            bins = np.array_split(order, BINS)
            sure = [judged.mean[b, number].mean() for b in bins if len(b)]
            right = [(test.classes[b] == number).mean() for b in bins if len(b)]
            axes.plot(sure, right, ".-", label=name)
        axes.set(xlabel="probability", ylabel="share of this class")
        axes.legend(fontsize="small")

    return draw


def cdf_of_variance(test: Sounds, judged: Judged) -> Callable[[Any], None]:
    """Return a function that draws the variance of each class's probability: mean and distribution function.

    Only the sounds count that the classifier took for this class.
    """

    def draw(figure: Any) -> None:
        bars, lines = figure.subplots(1, 2)
        for number, name in enumerate(test.names):
            own = np.sort(judged.variance[judged.told == number, number])
            bars.bar(name, float(own.mean()) if len(own) else 0.0)
            if len(own):
                lines.plot(own, np.arange(1, len(own) + 1) / len(own), label=name)
        bars.set(ylabel="mean variance")
        lines.set(xlabel="variance of the probability", ylabel="share below")
        lines.legend(fontsize="small")

    return draw


def map_of(points: Array, classes: Array, names: tuple[str, ...]) -> Callable[[Any], None]:
    """Return a function that draws the sounds at `points` [n, 2], with a colour for each class."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for number, name in enumerate(names):
            own = points[classes == number]
            axes.plot(own[:, 0], own[:, 1], ".", ms=5, label=name)
        axes.set(xticks=[], yticks=[])
        axes.legend(fontsize="small")

    return draw
