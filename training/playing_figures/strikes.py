"""Measures the strikes of a left hand on a grid of sixteenths: consonance, harsh strikes, and right chords.

The panel (`training.playing_figures.panel`) counts what sounds in each sixteenth. If a hand releases a wrong key at
once, its score there rises. The measures here count each strike.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.playing_figures.panel import CONSONANCE, STEPS_PER_QUARTER, TRIADS, Roll, fold

SHORT_STEPS = 1
"""Sixteenths. A key that sounds for at most this long is released at once."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_CENTRED = TRIADS - TRIADS.mean(axis=1, keepdims=True)


def lengths_of(hand: Roll) -> list[tuple[int, int, int]]:
    """Return (step, MIDI pitch, sixteenths that it sounds) of every strike, in order."""
    found = []
    steps = len(hand.struck)
    for step, key in np.argwhere(hand.struck):
        end = step + 1
        while end < steps and hand.sounding[end, key] and not hand.struck[end, key]:
            end += 1
        found.append((int(step), int(key), int(end - step)))
    return found


def harsh_and_short(right: Roll, hand: Roll) -> list[tuple[int, int]]:
    """Return (step, MIDI pitch) of the harsh strikes whose key is released within `SHORT_STEPS` sixteenths.

    A strike is harsh if its `CONSONANCE` with the melody's highest key is below 0.
    """
    top = right.top
    return [
        (step, key)
        for step, key, length in lengths_of(hand)
        if length <= SHORT_STEPS and top[step] >= 0 and CONSONANCE[(top[step] - key) % 12] < 0
    ]


@dataclass(frozen=True)
class ChordsByBeat:
    """The chords of a left hand on the beats in which this hand and the true hands sound.

    `starts` [beats] are the first steps of the beats. `triads` [beats] are indices in `TRIADS`: the triad nearest to
    what the hand sounds in the beat. `right` [beats] says whether this triad is that of both true hands in the half
    bar.
    """

    starts: Ints
    triads: Ints
    right: npt.NDArray[np.bool_]


def chords_by_beat(right: Roll, hand: Roll, true: Roll, positions: Ints, bar: int) -> ChordsByBeat:
    """Return the chords of `hand` by beat, each compared with the triad of both true hands in the half bar.

    A bar without a half on a beat counts as a whole. `positions` [T] are steps in the bar, and `bar` is the steps a
    bar.
    """
    beat = STEPS_PER_QUARTER
    both = fold(right.sounding | true.sounding).astype(float)
    own = fold(hand.sounding).astype(float)
    half = bar // 2 if bar % (2 * beat) == 0 else bar
    starts, triads, hits = [], [], []
    for start in range(len(own) - beat + 1):
        if positions[start] % beat:
            continue
        here = own[start : start + beat].sum(axis=0)
        begin = max(0, start - int(positions[start]) % half)
        there = both[begin : begin + half].sum(axis=0)
        if here.any() and there.any():
            starts.append(start)
            triads.append(int(np.argmax(_CENTRED @ here)))
            hits.append(triads[-1] == int(np.argmax(_CENTRED @ there)))
    return ChordsByBeat(np.array(starts, np.int64), np.array(triads, np.int64), np.array(hits, bool))


def strikes(right: Roll, hand: Roll, true: Roll, positions: npt.NDArray[np.int64], bar: int) -> dict[str, float]:
    """Return the figures of one hand under a right hand.

    `positions` [T] are steps in the bar, and `bar` is the steps a bar. A figure without a value is NaN.

    - `struck`: mean consonance (-1 to 1) of a key with the melody's highest key at its strike
    - `held`: mean consonance over the steps, if each key counts at least until the hand's next strike
    - `gone`: share of the harsh strikes (consonance -1) whose key is released within `SHORT_STEPS`
    - `triad`, `triad1`: share of the beats, and of the first beats of a bar, on which the hand's triad is that of both
      true hands in the half bar
    - `in_chord`: share of the melody's time that is on a tone of the hand's triad of the beat (note-in-chord ratio)
    - `vendi`: diversity of the hand's triads, see `vendi`
    """
    top = right.top
    rows = lengths_of(hand)
    score = [(CONSONANCE[(top[step] - key) % 12], length) for step, key, length in rows if top[step] >= 0]
    harsh = [length for value, length in score if value < 0]
    strike_steps = np.flatnonzero(hand.struck.any(axis=1))
    following = dict(zip(strike_steps, [*strike_steps[1:], len(top)], strict=True))
    kept = hand.sounding.copy()
    for step, key, _ in rows:
        kept[step : following[step], key] = True
    classes = fold(kept)
    number = classes.sum(axis=1)
    counts = (top >= 0) & (number > 0)
    consonance = (CONSONANCE[(top[:, None] - np.arange(12)) % 12] * classes).sum(axis=1) / np.maximum(number, 1)
    beats = chords_by_beat(right, hand, true, positions, bar)
    inside, time = 0, 0
    for start, triad in zip(beats.starts, beats.triads, strict=True):
        melody = top[start : start + STEPS_PER_QUARTER]
        melody = melody[melody >= 0]
        inside += int(TRIADS[triad][melody % 12].sum())
        time += len(melody)
    return {
        "struck": _mean([value for value, _ in score]),
        "held": _mean(consonance[counts]),
        "gone": _mean([length <= SHORT_STEPS for length in harsh]),
        "triad": _mean(beats.right),
        "triad1": _mean(beats.right[positions[beats.starts] == 0]),
        "in_chord": inside / time if time else float("nan"),
        "vendi": vendi(beats.triads.tolist()),
    }


def vendi(triads: list[int], length: int = 4) -> float:
    """Return the Vendi score of the successions of `length` triads in `triads`: how many different ones there are.

    The score is exp(-sum_i l_i log l_i), where l_i are the eigenvalues of diag(sqrt p) K diag(sqrt p). p [n] are the
    shares of the n different successions, and K [n, n] says how alike two of them are: the share of the places in which
    they have the same triad. It is 1 if all are the same and n if all are different and equally frequent. Source:
    Friedman and Dieng, "The Vendi Score: A Diversity Evaluation Metric for Machine Learning", TMLR 2023, the score with
    probabilities. NaN if there are fewer than `length` triads.
    """
    rows = Counter(tuple(triads[i : i + length]) for i in range(0, len(triads) - length + 1, length))
    if not rows:
        return float("nan")
    table = np.array(list(rows))
    share = np.array(list(rows.values()), float) / sum(rows.values())
    alike = (table[:, None] == table[None]).mean(axis=2)
    values = np.linalg.eigvalsh(np.sqrt(share[:, None] * share[None]) * alike)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def _mean(values: npt.ArrayLike) -> float:
    row = np.asarray(values, float)
    return float(row.mean()) if row.size else float("nan")
