"""Computes the listener's features that need both hands.

They are how the left hand meets the melody, its bass under both hands, and how it plays at the ends of phrases.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.playing_figures.panel import CONSONANCE, STEPS_PER_QUARTER, TRIADS, Roll, fold

LONG_BEATS, LONG_GAPS = 1.5, 2.0
"""A phrase ends with a right-hand note that lasts this many beats and this many times the window's median gap."""
MOST_STRIKES = 6.0
"""Greatest ratio of left-hand strikes to right-hand strikes. A higher ratio counts as this one."""

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
_CENTRED = TRIADS - TRIADS.mean(axis=1, keepdims=True)


def features_with_melody(right: Roll, hand: Roll, begin: int, end: int, bar: int) -> dict[str, float]:
    """Return numbers, by name, that say how the left hand `hand` fits the right hand `right`.

    They describe the steps from `begin` up to, but without, `end`. These are whole bars of `bar` steps. A number that
    cannot be computed is NaN.
    """
    melody, own = right.struck[begin:end].any(axis=1), hand.struck[begin:end].any(axis=1)
    top = right.top[begin:end]
    beat = STEPS_PER_QUARTER
    off = own & (np.arange(len(own)) % beat != 0)
    per_bar = [row.reshape(-1, bar).sum(axis=1).astype(float) for row in (melody, own)]
    busy = all(row.std() > 0 for row in per_bar)
    step, key = np.nonzero(hand.struck[begin:end])
    heard = top[step] >= 0
    classes = fold(hand.sounding[begin:end])
    both = np.flatnonzero((top >= 0) & classes.any(axis=1))
    room = right.sounding[begin:end][both].argmax(axis=1) - (
        127 - hand.sounding[begin:end][both][:, ::-1].argmax(axis=1)
    )
    return {
        "with the melody: strikes": _mean(melody[own]),
        "with the melody: off-beat strikes": _mean(melody[off]),
        "with the melody: its strikes met": _mean(own[melody]),
        "with the melody: strikes to its strikes": min(float(own.sum()) / max(int(melody.sum()), 1), MOST_STRIKES),
        "with the melody: busy when it is": float(np.corrcoef(per_bar)[0, 1]) if busy else 0.0,
        "with the melody: consonance of strikes": _mean(CONSONANCE[(top[step] - key)[heard] % 12]),
        "with the melody: doubles it": _mean(classes[both, top[both] % 12]),
        "with the melody: room": _mean(room),
        **_bass(right, hand, begin, end, bar),
        **_phrase_ends(melody, own, classes.any(axis=1)),
    }


def _bass(right: Roll, hand: Roll, begin: int, end: int, bar: int) -> dict[str, float]:
    """Return how often each bar's lowest key is the root, third or fifth of the triad that both hands make.

    The result also has the share of the bars in which this key is struck on the bar line.
    """
    parts, on_line = [], []
    for line in range(begin, end, bar):
        struck = hand.struck[line : line + bar]
        if not struck.any():
            continue
        lowest = int(np.flatnonzero(struck.any(axis=0))[0])
        weight = fold(hand.sounding[line : line + bar]).sum(axis=0) + 0.5 * fold(right.sounding[line : line + bar]).sum(
            axis=0
        )
        parts.append((lowest - int(np.argmax(_CENTRED @ weight))) % 12)
        on_line.append(bool(struck[0, lowest]))
    part = np.array(parts, np.int64)
    return {
        "bass: root": _mean(part == 0),
        "bass: third": _mean(np.isin(part, (3, 4))),
        "bass: fifth": _mean(part == 7),
        "bass: lowest key on the bar line": _mean(on_line),
    }


def _phrase_ends(melody: Bools, own: Bools, sounds: Bools) -> dict[str, float]:
    """Return features of how the hand plays under the last, long notes of phrases, by name."""
    beat = STEPS_PER_QUARTER
    at = np.flatnonzero(melody)
    gaps = np.diff(np.append(at, len(melody)))
    ends = [
        (int(step), int(gap))
        for step, gap in zip(at, gaps, strict=True)
        if gap >= max(LONG_BEATS * beat, LONG_GAPS * float(np.median(gaps)))
    ]
    return {
        "phrase end: struck with it": _mean([own[step] for step, _ in ends]),
        "phrase end: strikes a beat": _mean([own[step + 1 : step + gap].sum() / (gap / beat) for step, gap in ends]),
        "phrase end: silence": _mean([1.0 - sounds[step : step + gap].mean() for step, gap in ends]),
    }


def _mean(values: npt.ArrayLike) -> float:
    row = np.asarray(values, float)
    return float(row.mean()) if row.size else float("nan")
