"""Judges by a small net at which sixteenth of the beat the player's notes lie, for a clock without a count-in.

The net sees sixteen onsets in a row: the gap after each in beats, the interval of the melody, the number of keys, and
how high it lies. It gives a score to each sixteenth of the beat at which the thirteenth onset may be. It knows nothing
of the clock's grid but the length of a beat. The scores of about the last 67 onsets are added up for each grid that is
the clock's grid moved by some sixteenths. The net is fitted on scores (`python -m training place`), so that such a sum
tells the true grid from the others.
"""

from __future__ import annotations

import math
from collections import deque
from functools import cache
from pathlib import Path

import numpy as np

from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.piece_melody import LEAP_CLASSES, leap_class
from device.following.rhythm import Floats

BEFORE, AFTER = 12, 3
"""Number of onsets before and after the judged one that the net sees."""
SEEN = BEFORE + 1 + AFTER
LOWEST_GAP, GAP_BINS, GAP_STEPS = -4.0, 20, 3
"""Binary logarithm of the shortest gap in beats, number of its bins, and bins in an octave."""
KEYS = 3
"""Number of classes of keys that begin together: 1, 2, and more."""
FEATURES = GAP_BINS + LEAP_CLASSES + KEYS + 1
"""Numbers that the net sees of each onset."""
HEIGHT_RATE, HIGHEST = 0.06, 1.5
"""Weight of an onset in the running mean of the pitch, and the greatest distance from this mean in octaves."""
KEEPS = 0.985
"""Share of the sum of scores that is kept at one more onset."""
SURE = 0.6
"""Factor of the sum. It is below 1, because the net was fitted on scores and not on real playing."""
OTHER_TEMPO = 0.25
"""The sum begins again if the beat becomes longer or shorter by more than this natural logarithm at one onset."""
BEATS = {QUARTER: (4, 1), 2 * QUARTER: (4, 2), 3 * QUARTER // 2: (6, 1)}
"""Sixteenths that the net tells apart, and how often they are in a felt beat, by the ticks of a beat. In 2/2 the net
judges the place in the quarter."""
FILE = Path(__file__).with_name("place_net.npz")

Layers = tuple[Floats, ...]


@cache
def _layers(sixteenths: int) -> Layers:
    """Return the weights and offsets of the three layers of the net for so many sixteenths in a beat."""
    with np.load(FILE, allow_pickle=False) as data:
        return tuple(data[f"{sixteenths}_{i}"].astype(float) for i in range(6))


def gap_shares(gap_beats: Floats) -> Floats:
    """Return the shares [n, GAP_BINS] of gaps [n] in beats in the two nearest bins. Each row sums to 1."""
    at = (np.log2(np.maximum(gap_beats, 2.0**LOWEST_GAP)) - LOWEST_GAP) * GAP_STEPS
    at = np.minimum(at, GAP_BINS - 1.001)
    below = at.astype(np.int64)
    out = np.zeros((len(at), GAP_BINS))
    rows = np.arange(len(at))
    out[rows, below + 1] = at - below
    out[rows, below] = 1 - out[rows, below + 1]
    return out


def melody_features(semitones: int, keys: int, octaves: float) -> Floats:
    """Return the other features of an onset [FEATURES - GAP_BINS].

    `semitones` is the interval from the onset before, `keys` the number of keys that begin together, and `octaves` how
    far the onset is above the running mean of the pitch.
    """
    out = np.zeros(FEATURES - GAP_BINS)
    out[leap_class(semitones)] = 1.0
    out[LEAP_CLASSES + min(max(keys, 1), KEYS) - 1] = 1.0
    out[-1] = min(max(octaves, -HIGHEST), HIGHEST)
    return out


class PlaceNet:
    """Adds up the judgements of the net about one piece of music."""

    def __init__(self, beat: int) -> None:
        """Start without evidence. `beat` is the length of a felt beat in ticks: in some metres there is no net."""
        self._sixteenths, self._repeats = BEATS.get(beat, (1, 1))
        self._net = _layers(self._sixteenths) if beat in BEATS else None
        self._sums = np.zeros(self._sixteenths)
        self._times_s: deque[float] = deque(maxlen=SEEN + 1)
        self._places: deque[int | None] = deque(maxlen=AFTER + 2)
        """Places of the last onsets in sixteenths, on the clock's grid as it is now."""
        self._rows = np.zeros((SEEN, FEATURES))
        self._beat_s, self._top, self._mean = 0.0, 0, 0.0

    @property
    def by_shift(self) -> Floats:
        """Return the log likelihood of the grid moved by so many sixteenths, minus that of the present grid.

        It has a value for each sixteenth of the beat, or a single 0 if there is no net for the metre.
        """
        return np.tile(SURE * (self._sums - self._sums[0]), self._repeats)

    def move(self, sixteenths: int) -> None:
        """Use that the places of all onsets are now later in the beat by so many sixteenths."""
        if sixteenths and self._net is not None:
            self._sums = np.roll(self._sums, -sixteenths)
            for i, place in enumerate(self._places):
                self._places[i] = None if place is None else place + sixteenths

    def hear(self, onset_s: float, before: tuple[int, int], tick: int | None, beat_s: float) -> None:
        """Use an onset at `onset_s` seconds: the onset some onsets before can now be judged.

        `before` has the highest pitch of the onset before and its number of keys. `tick` is the place of this onset on
        the clock's grid, or None if it is on none. `beat_s` is the length of a felt beat in seconds.
        """
        if self._net is None:
            return
        if self._times_s:
            self._finish(*before)
        self._times_s.append(onset_s)
        self._places.append(None if tick is None or tick % SIXTEENTH else tick // SIXTEENTH)
        beat_s /= self._repeats
        if self._beat_s and abs(math.log(beat_s / self._beat_s)) > OTHER_TEMPO:
            self._sums[:] = 0.0
        self._beat_s = beat_s
        if len(self._times_s) <= SEEN or (place := self._places[0]) is None:
            return
        self._rows[:, :GAP_BINS] = gap_shares(np.diff(self._times_s) / beat_s)
        first, to_first, second, to_second, last, to_last = self._net
        hidden = np.maximum(self._rows.ravel() @ first + to_first, 0.0)
        hidden = np.maximum(hidden @ second + to_second, 0.0)
        scores = hidden @ last + to_last
        scores -= scores.mean()
        self._sums *= KEEPS
        self._sums += np.roll(scores, -place)

    def _finish(self, top: int, keys: int) -> None:
        """Keep the highest pitch and the keys of the last onset. They are known when the next onset begins."""
        if len(self._times_s) == 1:
            self._top, self._mean = top, float(top)
        self._mean += HEIGHT_RATE * (top - self._mean)
        self._rows[:-1] = self._rows[1:]
        self._rows[-1, GAP_BINS:] = melody_features(top - self._top, keys, (top - self._mean) / 12)
        self._top = top
