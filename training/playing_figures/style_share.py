"""Measures in how many bars a left hand plays the figure that its style's name promises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from device.settings.choices import Style
from training.playing_figures.panel import STEPS_PER_QUARTER, Roll

Keys = npt.NDArray[np.int64]

LEAST_SOUNDING = 0.75
"""Share of a bar through which a sustained chord sounds."""
TANGO: dict[int, tuple[set[int], ...]] = {
    16: ({0, 6, 8, 12},),
    8: ({0, 3, 4, 6},),
    12: ({0, 6, 8}, {0, 4, 6, 10}),
}
"""Maps the steps of a bar to the steps at which a tango strikes. A bar of 12 steps is 3/4 or 6/8."""


def style_share(style: Style, hand: Roll, positions: npt.NDArray[np.int64], bar: int) -> float:
    """Return the share of the bars in which the hand plays the style's own figure.

    A bar counts as the style's own figure if this holds for all its strikes:

    - oom-pah, march, stride: one key on the bar line and, if it is struck, on the half of the bar. There is at least
      one other strike. Every other strike has two or more keys, all above the lowest of the single keys. A bar of 12
      steps may have one bass (3/4) or two (6/8). A bar of 2/4, or of an odd number of beats, has one.
    - waltz: the same, or the same with one bass in the whole bar.
    - swing: a walking bass. One key at each strike, a strike on every beat, no key twice in a row, and no move wider
      than an octave, also to the next bar line. A bar of 12 steps may have three beats (3/4) or two (6/8).
    - broken, arpeggio, alberti, ballad: at least three strikes of one key, no key twice in a row. The bar
      begins with its lowest key, or each half of it does with the half's, because a new chord may bring a lower bass.
    - block: two or more keys at each strike.
    - sustained, pad: one or two strikes of two or more keys, and some key sounds in `LEAST_SOUNDING` of the steps.
    - bass: one key at each strike, and no more strikes than quarters in the bar.
    - tango: as broken, and struck exactly in the rhythm of the habanera, 3 + 1 + 2 + 2 (`TANGO`).

    The order of the chord's tones, the lengths of the keys, and the rhythm of the strikes between the basses are not
    judged, so the share is an upper limit. A bar is not judged if its own bar line or the next one has no strike,
    because the hand rests there: a closing chord comes before a rest. No fill is asked for in this measure, so no bar
    has one. NaN if no bar is left.

    `positions` [T] is the step of each step's bar, and `bar` the number of steps in a bar.
    """
    lines = np.flatnonzero(positions == 0)
    struck_at = np.flatnonzero(hand.struck.any(axis=1))
    last = int(struck_at[-1]) if len(struck_at) else 0
    found = []
    for begin in lines[lines + bar <= last]:
        struck, sounding = hand.struck[begin : begin + bar], hand.sounding[begin : begin + bar]
        if struck[0].any() and hand.struck[begin + bar].any():
            whole = hand.struck[begin : begin + bar + 1]
            found.append(_walks(whole, bar) if style == "swing" else _is_figure(style, struck, sounding, bar))
    return float(np.mean(found)) if found else float("nan")


def led_share(hand: Roll, positions: npt.NDArray[np.int64]) -> float:
    """Return the share of the bar lines to which a hand moves by step: one or two semitones from its lowest key before.

    Only bar lines that are struck within a beat of the strike before count. NaN if there are none. `positions` [T] is
    the step of each step's bar.
    """
    before, after = _keys_beside_lines(hand, positions)
    return float(np.mean(_is_step(after - before))) if len(after) else float("nan")


def led_by_chance(hand: Roll, positions: npt.NDArray[np.int64]) -> float:
    """Return what `led_share` would be if the bars of the hand were in a random order: the mean over all orders."""
    before, after = _keys_beside_lines(hand, positions)
    return float(np.mean(_is_step(after[:, None] - before[None, :]))) if len(after) else float("nan")


def _keys_beside_lines(hand: Roll, positions: npt.NDArray[np.int64]) -> tuple[Keys, Keys]:
    """Return the lowest keys [lines] of the strikes before and on the bar lines that `led_share` counts."""
    on = np.flatnonzero(hand.struck.any(axis=1))
    low = hand.struck[on].argmax(axis=1)
    line = np.flatnonzero((positions[on[1:]] == 0) & (np.diff(on) <= STEPS_PER_QUARTER)) + 1
    return low[line - 1], low[line]


def _is_step(moves: Keys) -> npt.NDArray[np.bool_]:
    """Return which moves, in semitones, are by step."""
    return (np.abs(moves) == 1) | (np.abs(moves) == 2)


def _walks(struck: npt.NDArray[np.bool_], bar: int) -> bool:
    """Return whether a bar is that of a walking bass. `struck` [bar + 1, 128] has the next bar line as its last row."""
    on = np.flatnonzero(struck[:bar].any(axis=1))
    low = struck[[*on, bar]].argmax(axis=1)
    moves = np.abs(np.diff(low))
    # a bar of twelve steps is 3/4 or 6/8
    beats = [range(0, bar, STEPS_PER_QUARTER), *([(0, 6)] if bar == 12 else [])]
    walks = bool((struck[on].sum(axis=1) == 1).all() and (moves[:-1] > 0).all() and (moves <= 12).all())
    return walks and any(set(each) <= set(on.tolist()) for each in beats)


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
        case "broken" | "arpeggio" | "alberti" | "ballad":
            return bool(
                len(on) >= 3 and (number == 1).all() and (np.diff(low) != 0).all() and _from_the_bass(on, low, bar)
            )
        case "block":
            return bool((number >= 2).all())
        case "sustained" | "pad":
            return bool((number >= 2).all() and len(on) <= 2 and sounding.any(axis=1).mean() >= LEAST_SOUNDING)
        case "bass":
            return bool((number == 1).all() and len(on) <= bar // beat)
        case "tango":
            return set(on.tolist()) in TANGO.get(bar, ()) and _is_figure("broken", struck, sounding, bar)
        case "auto" | "swing":
            # the figures of auto have no name, and a walking bass needs the next bar line too: `_walks`
            return False


def _from_the_bass(on: npt.NDArray[np.int64], low: npt.NDArray[np.int64], bar: int) -> bool:
    """Return whether the bar, or each half of it, begins with its lowest key: a new chord may have a lower bass."""
    if low[0] == low.min():
        return True
    if bar % 2:
        return False
    halves = [low[on < bar // 2], low[on >= bar // 2]]
    return all(len(half) > 0 and half[0] == half.min() for half in halves)


def _bass_and_chord(bass: npt.NDArray[np.bool_], number: npt.NDArray[np.int64], low: npt.NDArray[np.int64]) -> bool:
    """Return whether one bar is bass and chord.

    A single key must be struck at each step of a bass, and a higher chord at every other strike.

    `bass` [strikes] says whether the style has a bass at the step of the strike. `number` has the keys of each strike,
    and `low` its lowest pitch.
    """
    return bool(
        (number[bass] == 1).all()
        and (~bass).any()
        and (number[~bass] >= 2).all()
        and low[~bass].min() > low[bass].min()
    )
