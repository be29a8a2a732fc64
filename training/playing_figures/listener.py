"""Measures how far a left hand is from the true one, by features of windows of four bars that a listener would hear.

The features describe rhythm, repetition, keys, lengths, line and chords. The distance is the mean over the features of
|ours - true| / standard deviation over pieces (Cohen's d). Each term is at most `MOST`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from training.playing_figures.melody_features import features_with_melody
from training.playing_figures.panel import STEPS_PER_QUARTER, TRIADS, Roll, fold

WINDOW_BARS = 4
LISTEN_BARS = 2
"""Bars at the beginning that are not judged, because the device only listens in them."""
MOST = 3.0
"""Greatest difference of a feature in standard deviations.

A greater one counts as this, so that no feature decides alone.
"""
FEWEST_STRIKES = 2
"""A window in which the hand strikes fewer times is not judged: most features have no value in it."""
LONG_STEPS = 32
"""Greatest length of a note in sixteenths. A longer note counts as this long."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_CENTRED = TRIADS - TRIADS.mean(axis=1, keepdims=True)


def features(right: Roll, hand: Roll, begin: int, bar: int) -> dict[str, float]:
    """Return the features of one window by name. A feature without a value is NaN.

    The window is `WINDOW_BARS` bars of `bar` steps, from step `begin` on.
    """
    end = begin + WINDOW_BARS * bar
    struck, sounding = hand.struck[begin:end], hand.sounding[begin:end]
    on = np.flatnonzero(struck.any(axis=1))
    number = struck[on].sum(axis=1)
    low, high = struck[on].argmax(axis=1), 127 - struck[on][:, ::-1].argmax(axis=1)
    return {
        **_rhythm(on, bar),
        **_again(struck, bar),
        **_keys(struck, sounding, on, number),
        **_lengths(hand, begin, on),
        **_line(on, low, high, bar),
        **_harmony(right.sounding[begin:end], sounding, bar),
        "rhythm of 4 before": _four_bars_before(hand, begin, bar),
        **features_with_melody(right, hand, begin, end, bar),
    }


def _four_bars_before(hand: Roll, begin: int, bar: int) -> float:
    """Return how alike in rhythm the window and the four bars before it are, as an F1 of 0 to 1.

    The result is NaN if there are no four bars before.
    """
    before = begin - WINDOW_BARS * bar
    if before < 0:
        return float("nan")
    on = hand.struck[before : begin + WINDOW_BARS * bar].any(axis=1).reshape(2, WINDOW_BARS, bar)
    return float(np.mean([_f1(a, b) for a, b in zip(on[0], on[1], strict=True)]))


def _rhythm(on: Ints, bar: int) -> dict[str, float]:
    beat, total = STEPS_PER_QUARTER, WINDOW_BARS * bar
    place, gap = on % bar, np.diff(on)
    by_bar = np.bincount(on // bar, minlength=WINDOW_BARS)[:WINDOW_BARS]
    beats = np.isin(np.arange(0, total, beat), on)
    off = on[place % beat != 0]
    counts = np.unique(gap, return_counts=True)[1] if len(gap) else np.ones(1)
    share = counts / counts.sum()
    return {
        "strikes a beat": len(on) / (total / beat),
        "strikes a bar, spread": float(by_bar.std() / max(by_bar.mean(), 0.25)),
        "on bar lines": float((place == 0).mean()),
        "on other beats": float(((place % beat == 0) & (place != 0)).mean()),
        "on half beats": float((place % beat == beat // 2).mean()),
        "on odd steps": float((place % 2 == 1).mean()),
        "beats struck": float(beats.mean()),
        "bar lines struck": float(np.isin(np.arange(0, total, bar), on).mean()),
        "off the beat, beat not struck": float(np.mean([s - s % beat not in on for s in off])) if len(off) else 0.0,
        "gaps: entropy": float(-(share * np.log2(share)).sum()),
        "gaps: the commonest": float(share.max()),
        "gaps: as the last": float((gap[1:] == gap[:-1]).mean()) if len(gap) > 1 else float("nan"),
        "gaps: longer than a beat": float((gap > beat).mean()) if len(gap) else float("nan"),
    }


def _again(struck: npt.NDArray[np.bool_], bar: int) -> dict[str, float]:
    found: dict[str, float] = {}
    rhythm = [struck[i * bar : (i + 1) * bar].any(axis=1) for i in range(WINDOW_BARS)]
    shapes = [_shape(struck[i * bar : (i + 1) * bar]) for i in range(WINDOW_BARS)]
    for lag in (1, 2):
        pairs = list(zip(rhythm[lag:], rhythm, strict=False))
        found[f"rhythm of {lag} before"] = float(np.mean([_f1(a, b) for a, b in pairs]))
        found[f"rhythm of {lag} before, the same"] = float(np.mean([bool((a == b).all()) for a, b in pairs]))
        found[f"figure of {lag} before"] = float(
            np.mean([_same(a, b) for a, b in zip(shapes[lag:], shapes, strict=False)])
        )
    found["different figures"] = len({shape.tobytes() for shape in shapes}) / WINDOW_BARS
    return found


def _shape(bar: npt.NDArray[np.bool_]) -> Ints:
    """Return a number for what is struck at each step of a bar, int [steps]. It is 0 for no strike.

    `bar` [steps, keys] is true where a key is struck. The number combines how many keys are struck (at most 3 count)
    with the distance from the bar's lowest struck key to the step's lowest struck key. The distance is counted in units
    of four semitones, at most 4 units.
    """
    on = bar.any(axis=1)
    low = bar.argmax(axis=1)
    base = low[on].min() if on.any() else 0
    return np.where(on, 1 + 4 * np.minimum(4, (low - base) // 4) + np.minimum(3, bar.sum(axis=1)), 0)


def _f1(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    both = int(a.sum() + b.sum())
    return 1.0 if not both else 2.0 * int((a & b).sum()) / both


def _same(a: Ints, b: Ints) -> float:
    any_ = (a > 0) | (b > 0)
    return float(((a == b) & any_).sum() / any_.sum()) if any_.any() else 1.0


def _keys(struck: npt.NDArray[np.bool_], sounding: npt.NDArray[np.bool_], on: Ints, number: Ints) -> dict[str, float]:
    intervals = np.zeros(12)
    spans = []
    for step in on:
        keys = np.flatnonzero(struck[step])
        for i, key in enumerate(keys):
            np.add.at(intervals, (keys[i + 1 :] - key) % 12, 1)
        if len(keys) > 1:
            spans.append(int(keys[-1] - keys[0]))
    share = intervals / intervals.sum() if intervals.any() else np.full(12, np.nan)
    together = sounding.sum(axis=1)
    return {
        "strikes of one key": float((number == 1).mean()),
        "strikes of two": float((number == 2).mean()),
        "strikes of three and more": float((number >= 3).mean()),
        "other number than the last": float((number[1:] != number[:-1]).mean()) if len(number) > 1 else float("nan"),
        "keys sounding": float(together[together > 0].mean()) if together.any() else 0.0,
        "span": float(np.mean(spans)) if spans else float("nan"),
        "octaves": float(share[0]),
        "thirds": float(share[3] + share[4]),
        "fifths": float(share[7]),
        "sixths": float(share[8] + share[9]),
        "seconds and sevenths": float(share[[1, 2, 10, 11]].sum()),
        "silence": float((together == 0).mean()),
    }


def _lengths(hand: Roll, begin: int, on: Ints) -> dict[str, float]:
    ratio, length = [], []
    for step, following in zip(on, [*on[1:], -1], strict=True):
        for key in np.flatnonzero(hand.struck[begin + step]):
            column = hand.sounding[begin + step : begin + step + LONG_STEPS, key]
            again = np.flatnonzero(hand.struck[begin + step + 1 : begin + step + LONG_STEPS, key])
            until = int(np.argmin(column)) if not column.all() else len(column)
            until = min(until, int(again[0]) + 1) if len(again) else until
            length.append(until)
            if following > 0:
                ratio.append(min(2.0, until / (following - step)))
    r, n = np.array(ratio), np.array(length)
    return {
        "length over gap": float(r.mean()) if len(r) else float("nan"),
        "length over gap, spread": float(r.std()) if len(r) else float("nan"),
        "to the next strike": float(((r > 0.85) & (r < 1.15)).mean()) if len(r) else float("nan"),
        "detached": float((r < 0.65).mean()) if len(r) else float("nan"),
        "a sixteenth long": float((n <= 1).mean()) if len(n) else float("nan"),
        "beats long": float(n.mean()) / STEPS_PER_QUARTER if len(n) else float("nan"),
    }


def _line(on: Ints, low: Ints, high: Ints, bar: int) -> dict[str, float]:
    leap, top = np.abs(np.diff(low)), np.abs(np.diff(high))
    bass = [int(low[on // bar == i].min()) for i in range(WINDOW_BARS) if (on // bar == i).any()]
    move = np.abs(np.diff(bass))
    nan = float("nan")
    return {
        "leap": float(leap.mean()) if len(leap) else nan,
        "lowest key again": float((leap == 0).mean()) if len(leap) else nan,
        "steps": float(((leap > 0) & (leap < 3)).mean()) if len(leap) else nan,
        "leap of the top": float(top.mean()) if len(top) else nan,
        "height": float((low.mean() + high.mean()) / 2),
        "height, spread": float(np.concatenate([low, high]).std()),
        "bass of the bar": float(np.mean(bass)),
        "bass: leap": float(move.mean()) if len(move) else nan,
        "bass: stays": float((move == 0).mean()) if len(move) else nan,
        "bass: steps": float(((move > 0) & (move < 3)).mean()) if len(move) else nan,
    }


def _harmony(right: npt.NDArray[np.bool_], hand: npt.NDArray[np.bool_], bar: int) -> dict[str, float]:
    beat = STEPS_PER_QUARTER
    own = fold(hand).astype(float)
    beats = own[: len(own) // beat * beat].reshape(-1, beat, 12).sum(axis=1)
    sounds = beats.any(axis=1)
    triad = (beats @ _CENTRED.T).argmax(axis=1)
    both = sounds[1:] & sounds[:-1]
    changes = (triad[1:] != triad[:-1]) & both
    at_bar = (np.arange(1, len(triad)) * beat) % bar == 0
    fit = (beats * TRIADS[triad]).sum(axis=1) / np.maximum(beats.sum(axis=1), 1)
    nan = float("nan")
    return {
        "chords: changes": float(changes.sum() / max(both.sum(), 1)),
        "chords: bar lines with a change": float(changes[at_bar & both].mean()) if (at_bar & both).any() else nan,
        "chords: fit": float(fit[sounds].mean()) if sounds.any() else nan,
        "chords: pitch classes a beat": float((beats > 0).sum(axis=1).mean()),
        "chords: pitch classes": float((own.sum(axis=0) > 0).sum()),
        "silence under the melody": float((~hand.any(axis=1))[right.any(axis=1)].mean()) if right.any() else nan,
    }


def windows(right: Roll, true: Roll, positions: Ints, bar: int) -> list[int]:
    """Return the first step of each window that is judged.

    A window is four whole bars. The right hand sounds in more than 0.4 of its steps, and the true left hand strikes
    often enough.
    """
    lines = [int(s) for s in np.flatnonzero(positions == 0)][LISTEN_BARS:]
    found = []
    for i in range(0, len(lines) - WINDOW_BARS, WINDOW_BARS):
        inside = lines[i : i + WINDOW_BARS + 1]
        span = slice(inside[0], inside[0] + WINDOW_BARS * bar)
        whole = all(b - a == bar for a, b in pairwise(inside))
        if (
            whole
            and right.sounding[span].any(axis=1).mean() > 0.4
            and true.struck[span].any(axis=1).sum() >= FEWEST_STRIKES
        ):
            found.append(inside[0])
    return found


def rows_of_windows(right: Roll, hand: Roll, true: Roll, positions: Ints, bar: int) -> dict[int, dict[str, float]]:
    """Return the features of each window that is judged, as a dict from its first step to the features.

    A window in which `hand` strikes fewer than `FEWEST_STRIKES` times is left out.
    """
    return {
        begin: features(right, hand, begin, bar)
        for begin in windows(right, true, positions, bar)
        if hand.struck[begin : begin + WINDOW_BARS * bar].any(axis=1).sum() >= FEWEST_STRIKES
    }


def mean_row(rows: Sequence[dict[str, float]]) -> dict[str, float] | None:
    """Return the mean of each feature over the windows in which it has a value; None if there is no window."""
    if not rows:
        return None
    table = np.array([list(row.values()) for row in rows])
    kept = ~np.isnan(table)
    mean = np.where(kept, table, 0.0).sum(axis=0) / np.maximum(kept.sum(axis=0), 1)
    return dict(zip(rows[0], np.where(kept.any(axis=0), mean, np.nan).tolist(), strict=True))


def means_of(right: Roll, hand: Roll, true: Roll, positions: Ints, bar: int) -> dict[str, float] | None:
    """Return the mean of each feature over the windows of a piece, by name; None if there is no window."""
    return mean_row(list(rows_of_windows(right, hand, true, positions, bar).values()))


def distance(ours: list[dict[str, float] | None], true: list[dict[str, float] | None]) -> float:
    """Return the distance of a left hand from the true one, 0 or more. The module's docstring defines it.

    Both lists hold the features of the same pieces. None stands for a piece without a window. The result is NaN with
    fewer than two pieces.
    """
    pairs = [(a, b) for a, b in zip(ours, true, strict=True) if a is not None and b is not None]
    if len(pairs) < 2:
        return float("nan")
    d = []
    for name in pairs[0][0]:
        rows = np.array([(a[name], b[name]) for a, b in pairs])
        rows = rows[~np.isnan(rows).any(axis=1)]
        if len(rows) > 1:
            spread = float(np.sqrt(rows.var(axis=0).mean()))
            d.append(min(abs(float(rows[:, 0].mean() - rows[:, 1].mean())) / (spread + 1e-9), MOST))
    return float(np.mean(d))
