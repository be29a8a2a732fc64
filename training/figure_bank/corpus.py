"""Cuts true left hands into excerpts of eight bars, for the bank of figures and for the statistics beside it.

A note is stored as its position in the bar, its length, its height above the bar's lowest key, and the tone of the
chord that it is. Positions and lengths are steps of the device's grid. The pitch is left out, because the device puts
the figure on its own chords.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.left_hand.figure_bank import GROUPS, OTHER_TONE, group_of
from device.left_hand.right_hand import CONTEXT_SIZE, context_of
from training.accompanist.data import grid_of, right_hands
from training.corpora.pieces import HandLabel, Piece
from training.playing_figures.panel import TRIADS

BARS = 8
"""Bars of an excerpt."""
HOP_BARS = 4
"""Bars from the start of one excerpt to the start of the next."""
OFF_GRID = 0.2
"""Share of a step. An onset further than this from the nearest step is off the grid."""
MOST_OFF_GRID = 0.1
"""An excerpt is left out if a larger share of its onsets is off the grid: triplets and 32nds."""
MOST_EMPTY_BARS = 2
"""An excerpt is left out if it has more bars than this without a strike."""
MOST_KEYS, WIDEST = 5, 16
"""Most keys of one strike, and most semitones between its outer keys. These are the limits of one hand."""
LONGEST_STEPS = 48
"""Steps. Longer notes are cut to this length, three bars of 4/4."""
FIGURE_SIZE = 14
"""How many numbers describe the manner of an excerpt, see `manner_of`."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
CENTRED_TRIADS = TRIADS - TRIADS.mean(axis=1, keepdims=True)


@dataclass(frozen=True)
class LeftHandExcerpt:
    """Eight bars of one left hand.

    `bars`: for each bar an int array [notes, 4]: position, length in steps, height in semitones above the bar's lowest
    key, degree (0 root, 1 third, 2 fifth, 3 seventh, 4 another tone). `lifts` [8]: the bar's lowest key less `anchor`,
    the median of the lowest keys. `manner` [FIGURE_SIZE] and `context` [CONTEXT_SIZE] describe the left and the right
    hand of the excerpt.
    """

    piece: str
    group: int
    bars: list[Ints]
    lifts: Ints
    anchor: int
    manner: Floats
    context: Floats


@dataclass(frozen=True)
class HandOnGrid:
    """The notes of a hand on the grid, each array [notes].

    `first` and `end` are the steps at which the note begins and ends. `pitch` is its MIDI pitch. `off` says whether its
    onset is far from every step (more than `OFF_GRID`).
    """

    first: Ints
    end: Ints
    pitch: Ints
    off: npt.NDArray[np.bool_]


def on_grid(notes: npt.NDArray[np.void], quarters: Floats) -> HandOnGrid:
    """Return `notes`, whose times are in quarters, on the grid whose steps begin at `quarters` [steps].

    A note is at least one step long.
    """
    steps = np.arange(len(quarters))
    at = np.interp(notes["onset"].astype(float), quarters, steps)
    until = np.interp(notes["onset"].astype(float) + notes["duration"], quarters, steps)
    first = np.rint(at).astype(int)
    return HandOnGrid(
        first,
        np.maximum(np.rint(until).astype(int), first + 1),
        notes["pitch"].astype(int),
        np.abs(at - first) > OFF_GRID,
    )


def excerpts_of(piece: Piece, rng: np.random.Generator) -> Iterator[LeftHandExcerpt]:
    """Yield the excerpts of a piece's left hand, in order of time.

    A stretch of eight bars is left out if its metre changes or is not one of the device's, if a hand has too few notes,
    if too many notes are off the grid, or if too many bars are empty. A piece with fewer than 30 left-hand notes yields
    nothing. `rng` is passed to `right_hands`.
    """
    if len(piece.of(HandLabel.LEFT)) < 30:
        return
    steps, quarters = grid_of(piece)
    left, right = on_grid(piece.of(HandLabel.LEFT), quarters), on_grid(right_hands(piece, rng), quarters)
    bars = [i for i, step in enumerate(steps) if step.is_bar]
    k = 0
    while k + BARS < len(bars):
        starts = bars[k : k + BARS + 1]
        meter = steps[starts[0]].meter
        group = group_of(meter)
        size = meter.steps_per_bar
        whole = all(b - a == size and steps[a].meter == meter for a, b in zip(starts, starts[1:], strict=False))
        found = None if group is None or not whole else _excerpt(piece.name, group, left, right, starts, size)
        if found is None:
            k += 1 if not whole or group is None else HOP_BARS
            continue
        yield found
        k += HOP_BARS


def _excerpt(
    name: str, group: int, left: HandOnGrid, right: HandOnGrid, starts: list[int], size: int
) -> LeftHandExcerpt | None:
    """Return the left hand of BARS bars, or None if it is too empty, too far off the grid, or has too little melody.

    `starts` are the steps at which the bars begin, and the end of the last. Each bar has `size` steps. `group` is an
    index into GROUPS.
    """
    begin, end = starts[0], starts[-1]
    inside = (left.first >= begin) & (left.first < end)
    theirs = (right.first >= begin) & (right.first < end)
    if inside.sum() < BARS or theirs.sum() < BARS or left.off[inside].mean() > MOST_OFF_GRID:
        return None
    beat = GROUPS[group][1]
    half = size // 2 if size % (2 * beat) == 0 else size
    bars, lows = [], []
    for a in starts[:-1]:
        notes: list[tuple[int, int, int, int]] = []
        for step in range(a, a + size):
            keys: dict[int, int] = {}
            for i in np.flatnonzero(left.first == step):
                keys[int(left.pitch[i])] = max(keys.get(int(left.pitch[i]), 0), int(left.end[i] - step))
            low = min(keys, default=0)
            fits = [key for key in sorted(keys) if key - low <= WIDEST]
            fits = fits if len(fits) <= MOST_KEYS else [*fits[: MOST_KEYS - 1], fits[-1]]
            chord = _chord(left, right, a + (step - a) // half * half, half)
            for key in fits:
                notes.append((step - a, min(keys[key], LONGEST_STEPS), key, _degree(key, chord)))
        lows.append(min((note[2] for note in notes), default=-1))
        bars.append(np.array(notes, np.int64).reshape(-1, 4))
    if sum(low < 0 for low in lows) > MOST_EMPTY_BARS:
        return None
    anchor = int(np.median([low for low in lows if low >= 0]))
    lows = [anchor if low < 0 else low for low in lows]
    manner = manner_of(bars, lows, size, beat)
    context = context_of(right.first[theirs] - begin, right.end[theirs] - begin, right.pitch[theirs], BARS, size, beat)
    for bar, low in zip(bars, lows, strict=True):
        bar[:, 2] -= low
    return LeftHandExcerpt(
        name, group, bars=bars, lifts=np.array(lows) - anchor, anchor=anchor, manner=manner, context=context
    )


def _chord(left: HandOnGrid, right: HandOnGrid, start: int, length: int) -> int:
    """Return the triad (0 to 11 major, 12 to 23 minor) that fits the notes of both hands in these steps best."""
    weight = np.zeros(12)
    for hand, share in ((left, 1.0), (right, 0.5)):
        overlap = np.minimum(hand.end, start + length) - np.maximum(hand.first, start)
        on = overlap > 0
        np.add.at(weight, hand.pitch[on] % 12, share * overlap[on])
    return int(np.argmax(CENTRED_TRIADS @ weight))


def _degree(key: int, chord: int) -> int:
    above = (key - chord) % 12
    tones = {0: 0, 7: 2, (3 if chord >= 12 else 4): 1, 10: 3, 11: 3}
    return tones.get(above, OTHER_TONE)


def manner_of(bars: list[Ints], lows: list[int], size: int, beat: int) -> Floats:
    """Return numbers that describe how a left hand plays, float [FIGURE_SIZE].

    `bars` and `lows` are the notes and the lowest key of each bar; heights in `bars` are MIDI pitches here. `size` is
    the steps a bar and `beat` the steps a beat.
    The numbers are, in order: strikes a beat (log2), keys a strike, shares of the strikes with one key, with three or
    more keys, off the beat, and on odd steps, share of the beats that are struck, length of a key over the gap to the
    next strike, leap of the lowest key in semitones, share of the bars with the rhythm of the bar before, share of the
    steps without sound, share of octaves among the intervals, mean MIDI pitch, and share of the notes that last one
    step.
    """
    rows = np.concatenate([np.column_stack([bar[:, 0] + i * size, bar[:, 1:]]) for i, bar in enumerate(bars)])
    strikes = np.unique(rows[:, 0])
    number = np.array([(rows[:, 0] == s).sum() for s in strikes])
    lowest = np.array([rows[rows[:, 0] == s, 2].min() for s in strikes])
    total = len(bars) * size
    gaps = np.diff(strikes)
    gap = dict(zip(strikes.tolist(), gaps.tolist(), strict=False))
    ratio = [min(2.0, row[1] / gap[int(row[0])]) for row in rows if int(row[0]) in gap]
    rhythm = [tuple(np.unique(bar[:, 0])) for bar in bars]
    sounds = np.zeros(total, bool)
    for row in rows:
        sounds[row[0] : row[0] + row[1]] = True
    pairs = octaves = 0
    for s in strikes:
        keys = rows[rows[:, 0] == s, 2]
        pairs += len(keys) * (len(keys) - 1) // 2
        octaves += sum(int(b - a == 12) for a in keys for b in keys)
    return np.array(
        [
            np.log2(len(strikes) / (total / beat)),
            number.mean(),
            (number == 1).mean(),
            (number >= 3).mean(),
            (strikes % beat != 0).mean(),
            (strikes % 2 != 0).mean(),
            np.isin(np.arange(0, total, beat), strikes).mean(),
            np.mean(ratio) if ratio else 1.0,
            np.abs(np.diff(lowest)).mean() if len(lowest) > 1 else 0.0,
            np.mean([a == b for a, b in zip(rhythm[1:], rhythm, strict=False)]),
            1.0 - sounds.mean(),
            octaves / max(pairs, 1),
            rows[:, 2].mean(),
            (rows[:, 1] <= 1).mean(),
        ]
    )


__all__ = ["BARS", "CONTEXT_SIZE", "FIGURE_SIZE", "LeftHandExcerpt", "excerpts_of", "manner_of"]
