"""Measures in how many bars a left hand plays the figure that its style's name promises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device.settings.choices import Style
from training.playing_figures.panel import STEPS_PER_QUARTER, Roll

LEAST_SOUNDING = 0.75
"""Share of a bar through which a sustained chord sounds."""


def style_share(style: Style, hand: Roll, positions: npt.NDArray[np.int64], bar: int) -> float:
    """Return the share of the bars in which the hand plays the style's own figure.

    Only bars with a strike on the bar line count. NaN if there is none.
    """
    lines = np.flatnonzero(positions == 0)
    found = []
    for begin in lines[lines + bar <= len(hand.struck)]:
        struck, sounding = hand.struck[begin : begin + bar], hand.sounding[begin : begin + bar]
        if struck[0].any():
            # a bar in which the hand comes in or comes to rest is not judged
            found.append(_is_figure(style, struck, sounding, bar))
    return float(np.mean(found)) if found else float("nan")


def _is_figure(style: Style, struck: npt.NDArray[np.bool_], sounding: npt.NDArray[np.bool_], bar: int) -> bool:
    on = np.flatnonzero(struck.any(axis=1))
    number, low = struck[on].sum(axis=1), struck[on].argmax(axis=1)
    beat = STEPS_PER_QUARTER
    match style:
        case "oom-pah" | "waltz" | "march" | "stride":
            # a bar of twelve steps is 3/4 with one bass or 6/8 with two
            halves = {12: (12, 6), 2 * beat: (bar,)}.get(bar, (bar // 2 if bar % (2 * beat) == 0 else bar,))
            halves = (bar, *halves) if style == "waltz" else halves
            return any(_bass_and_chord(on % half == 0, number, low) for half in halves)
        case "broken" | "arpeggio" | "alberti" | "ballad" | "swing":
            return bool(
                len(on) >= 3 and (number == 1).all() and (np.diff(low) != 0).all() and _from_the_bass(on, low, bar)
            )
        case "block":
            return bool((number >= 2).all())
        case "sustained" | "pad":
            return bool((number >= 2).all() and len(on) <= 2 and sounding.any(axis=1).mean() >= LEAST_SOUNDING)
        case "bass":
            return bool((number == 1).all() and len(on) <= bar // beat)
        case _:
            return False


def _from_the_bass(on: npt.NDArray[np.int64], low: npt.NDArray[np.int64], bar: int) -> bool:
    """Whether the bar, or each half of it, begins with its lowest key: a new chord may have a lower bass."""
    if low[0] == low.min():
        return True
    if bar % 2:
        return False
    halves = [low[on < bar // 2], low[on >= bar // 2]]
    return all(len(half) > 0 and half[0] == half.min() for half in halves)


def _bass_and_chord(bass: npt.NDArray[np.bool_], number: npt.NDArray[np.int64], low: npt.NDArray[np.int64]) -> bool:
    """Return whether single keys are struck where a bass belongs, and higher chords everywhere else."""
    return bool(
        (number[bass] == 1).all()
        and (~bass).any()
        and (number[~bass] >= 2).all()
        and low[~bass].min() > low[bass].min()
    )
