"""Finds passages that come again, and says where in the bar they were the first time.

Music repeats its themes, mostly at the same place in the bar. If the last onsets have the pitches of an earlier passage
and about its gaps, the place of the earlier onset is evidence for the place of this one. This evidence does not come
from the grid of now, so it can end a loss. It may be wrong, because the clock may have been lost the first time. So it
counts more if `lock` was higher then than it is now. While the clock agrees with it, it changes nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device.following.bank import KIND, QUARTER_S, TICK, TIME, WAS_STRAY, WEIGHT, HypothesisBank
from device.following.lock_inputs import log_odds
from device.following.next_onset import QUARTER
from device.following.rhythm import Floats, Ints

LEAST_ONSETS, LEAST_PITCHES = 6, 3
"""Least number of onsets in a row that agree with an earlier passage, and of different pitches among the last of them.
"""
LEAST_AGO_S = 4.0
"""A passage that was less than so many seconds ago is a figure that goes on, and no repeat."""
GAPS_RATE, GAPS_DIFFER, SHORTEST_S = 0.2, 0.2, 0.02
"""Weight of a gap in the running mean of the difference to the earlier gap (natural logarithm), the limit of this mean,
and the length in seconds that a shorter gap counts as."""
AT_EIGHT, LONGER, THEN, NOW = -0.3, 0.9, 0.5, -1.5
"""Log odds that the earlier place is right and not the clock's: for eight onsets, for each doubling of this number, and
factors of the log odds of `lock` then and now. Rounded from a logistic regression of the disagreements in 70
performances."""
NEAR = 0.12
"""A hypothesis agrees with the earlier place if it is nearer than so many beats."""
BELIEVED, OFFERED = 1.0, 0.02
"""If the repeat is fully believed, the log weight of the hypotheses that do not agree falls by so much at each onset,
and a new one that agrees gets this weight."""
LEAST_BELIEF = 0.02
"""Less belief changes nothing."""
LEAST_AGREE = 0.4
"""At least this share of the earlier passages must have the same place in the beat. Else it is a figure that comes at
many places."""
MOST_ONSETS = 6000
"""If so many onsets are remembered, the older half is forgotten."""
PITCH, TOP, PLACE, RHYTHM = range(4)
"""Indexes of the rows of whole numbers: pitch of the first key, of the top key, place in ticks of the bar (-1: none),
and kind of rhythm."""
ONSET_S, LOG_GAP, LOCK = range(3)
"""Indexes of the rows of real numbers: time in seconds, logarithm of the gap before in seconds, and `lock`."""


class Repeat(NamedTuple):
    """Describes the earlier onset that the last onset repeats.

    It holds the place in ticks of the bar, the kind of rhythm, `lock` at that time, and the number of onsets that
    agree.
    """

    tick: int
    kind: int
    lock: float
    onsets: int

    def belief(self, lock: float) -> float:
        """Return the probability that the earlier place is right and not that of the clock with this `lock` now."""
        logit = AT_EIGHT + LONGER * math.log2(self.onsets / 8)
        logit += THEN * log_odds(self.lock) + NOW * log_odds(lock)
        return 1 / (1 + math.exp(-logit))


class Repeats:
    """Remembers the onsets of one piece of music with their places."""

    def __init__(self, beat: int) -> None:
        """Begin with no onset. `beat` is the length of a felt beat in ticks."""
        self._beat = beat
        self.found: Repeat | None = None
        """The earlier onset that the last onset repeats, or None."""
        self._count = 0
        self._whole, self._real = np.full((4, 64), -1), np.zeros((3, 64))
        self._ends, self._onsets, self._differ = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
        """Earlier onsets that are as the last but one, the number of onsets that agree up to each, and the mean
        difference of the gaps."""

    def hear(self, onset_s: float, pitch: int, semitones: int) -> None:
        """Look for what an onset repeats. It is at `onset_s` seconds, and its first key is `pitch`.

        `semitones` is the interval from the top key of the onset before, which is known only now.
        """
        self._make_room()
        n, self.found = self._count, None
        gap_s = onset_s - float(self._real[ONSET_S, n - 1]) if n else 0.0
        gap = math.log(max(gap_s, SHORTEST_S))
        self._whole[:, n] = pitch, pitch, -1, 0
        self._real[:, n] = onset_s, gap, 0.0
        self._count += 1
        if not n:
            return
        self._whole[TOP, n - 1] = pitch - semitones
        self._go_on(n - 1)
        here = self._onsets >= LEAST_ONSETS - 1
        if not here.any() or len(set(self._whole[TOP, n + 1 - LEAST_ONSETS : n + 1].tolist())) < LEAST_PITCHES:
            return
        at, onsets = self._ends[here] + 1, self._onsets[here] + 1
        differ = self._differ[here] * (1 - GAPS_RATE) + GAPS_RATE * np.abs(self._real[LOG_GAP].take(at) - gap)
        same = (self._whole[PITCH].take(at) == pitch) | (self._whole[TOP].take(at) == pitch)
        same &= (self._real[ONSET_S].take(at) < onset_s - LEAST_AGO_S) & (differ < GAPS_DIFFER)
        same &= self._whole[PLACE].take(at) >= 0
        if same.any():
            at, onsets = at[same], onsets[same]
            # the longest, and the last of several
            best = len(at) - 1 - int(onsets[::-1].argmax())
            _, _, tick, kind = self._whole[:, at[best]].tolist()
            if np.mean(self._is_near(self._whole[PLACE].take(at) - tick)) >= LEAST_AGREE:
                self.found = Repeat(tick, kind, float(self._real[LOCK, at[best]]), int(onsets[best]))

    def keep(self, bank: HypothesisBank, lock: float) -> None:
        """Remember where the likeliest hypothesis of `bank` puts the last onset, and the clock's `lock` now."""
        if self._count and not bank.whole[WAS_STRAY, 0]:
            n = self._count - 1
            self._whole[PLACE:, n], self._real[LOCK, n] = (bank.whole[TICK, 0], bank.whole[KIND, 0]), lock

    def reweighed(self, bank: HypothesisBank, onset_s: float, lock: float) -> HypothesisBank:
        """Return `bank` with weights that count the earlier place too, in the order of the weights.

        A hypothesis at this place is added if there is hardly any. `onset_s` is the last onset in seconds, and
        `lock` that of the clock before this onset.
        """
        if self.found is None or (belief := self.found.belief(lock)) < LEAST_BELIEF:
            return bank
        off = bank.whole[TICK] + QUARTER * (onset_s - bank.real[TIME]) / bank.real[QUARTER_S] - self.found.tick
        agrees = self._is_near(off)
        if agrees[0]:
            return bank
        weight = bank.real[WEIGHT] * np.where(agrees, 1.0, math.exp(-BELIEVED * belief))
        weight /= weight.sum()
        if float(weight[agrees].sum()) < OFFERED * belief and not bank.whole[WAS_STRAY, 0]:
            bank = bank.chosen(np.append(np.arange(len(bank)), 0))
            bank.whole[TICK, -1], bank.whole[KIND, -1] = self.found.tick, self.found.kind
            weight = np.append(weight, OFFERED * belief)
            weight /= weight.sum()
        return bank.reweighed(weight)

    def _is_near(self, ticks: Floats | Ints) -> npt.NDArray[np.bool_]:
        """Return for each distance in ticks whether it is nearly a whole number of beats."""
        near: npt.NDArray[np.bool_] = np.abs(ticks - self._beat * np.rint(ticks / self._beat)) < NEAR * self._beat
        return near

    def _go_on(self, last: int) -> None:
        """Lengthen the passages that agree, up to the onset with the index `last`, whose top key is known now."""
        top, gap = self._whole[TOP], self._real[LOG_GAP]
        ends = (top[:last] == top[last]).nonzero()[0]
        onsets, differ = np.ones(len(ends), np.int64), np.zeros(len(ends))
        if len(self._ends) and len(ends):
            where = np.minimum(self._ends.searchsorted(ends - 1), len(self._ends) - 1)
            goes_on = self._ends.take(where) == ends - 1
            onsets += goes_on * self._onsets.take(where)
            differ = self._differ.take(where) * (1 - GAPS_RATE) + GAPS_RATE * np.abs(gap.take(ends) - gap[last])
            differ *= goes_on
        self._ends, self._onsets, self._differ = ends, onsets, differ

    def _make_room(self) -> None:
        """Make the arrays larger if they are full, or forget the older half of the onsets."""
        size = self._whole.shape[1]
        if self._count == MOST_ONSETS:
            half = self._count // 2
            self._whole[:, : self._count - half] = self._whole[:, half : self._count]
            self._real[:, : self._count - half] = self._real[:, half : self._count]
            self._count -= half
            kept = self._ends >= half
            self._ends, self._onsets, self._differ = self._ends[kept] - half, self._onsets[kept], self._differ[kept]
        elif self._count == size:
            self._whole = np.concatenate((self._whole, np.full((4, size), -1)), 1)
            self._real = np.concatenate((self._real, np.zeros((3, size))), 1)
