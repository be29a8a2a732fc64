"""Judges tempo and place of the beat together, for a player who keeps an even tempo and did not count in.

A grid at half tempo, or half a beat off, explains each single onset nearly as well as the true one, so the bank of
hypotheses stays there. This net hears the rhythm, the melody and the chords as they would lie on such grids: the beat
may be a third, half, two thirds ... three times as long as that of a kept grid (`grid_frame.py`), and it may begin at
each twenty-fourth of a beat. The scores of about the last 67 onsets are added up for each grid, and the weight of each
hypothesis is multiplied by a small power of the probability of its grid. The net is fitted on scores that are played
in even time (`python -m training grid`).
"""

from __future__ import annotations

import math
from collections import deque
from functools import cache
from pathlib import Path

import numpy as np

from device.clock.meter import Meter
from device.following.bank import QUARTER_S, TICK, TIME, WAS_STRAY, WEIGHT, HypothesisBank
from device.following.beat_net import meter_flags
from device.following.grid_features import OF_ONSET, GridFeatures
from device.following.grid_frame import LEVELS, LOG_LEVELS, SAME_TEMPO, GridFrame
from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.other_tempo import at_place
from device.following.place_net import GAP_BINS, GAP_STEPS, LOWEST_GAP
from device.following.rhythm import Floats, Ints
from device.following.weights import Singles, read_weights

BEFORE, AFTER = 13, 3
"""Number of onsets before and after the judged one that the net sees."""
SEEN = BEFORE + 1 + AFTER
BINS = GAP_BINS + 1
"""Numbers that describe a gap on one grid: the shares of the bins, and whether the onset was before the music."""
PLACES = 24
"""Places in the beat at which a grid may begin."""
KEEPS = 0.985
"""Share of the sum of scores that is kept at one more onset."""
SHORTEST_S = 0.02
"""A shorter gap counts as this one, in seconds."""
FIRST = 4.0
"""The weights change only after so many onsets were judged."""
POWER, LEAST = 0.1, 0.3
"""The weight of a hypothesis is multiplied by (GRIDS * probability + LEAST) ** POWER at each onset."""
GRIDS = len(LEVELS) * PLACES / 3
"""Number of grids that differ: three places beside each other are one."""
CLEAR, FEW, SHARE = 0.3, 0.003, 0.03
"""A hypothesis with the weight SHARE is added for a grid of probability CLEAR if those like it have less than FEW."""
FARTHEST_OFF = 2.0
"""No hypothesis is added if the onset is farther from a sixteenth of its grid than this, in ticks."""
FILE = Path(__file__).with_name("grid_net.npz")

_OCTAVES = np.log2(LEVELS)
_AT = np.arange(PLACES)
_LEVEL = np.arange(len(LEVELS))[:, None]


@cache
def net_weights() -> dict[str, Singles]:
    """Return the weights that are shipped, by the names in `training.grid_net`."""
    return read_weights(FILE)


class GridNet:
    """Hears the onsets of one piece of music, one by one, with the bank that the clock has then."""

    def __init__(self, meter: Meter, beat: int, bar: int, weights: dict[str, Singles] | None = None) -> None:
        """Begin without evidence. `beat` and `bar` are in ticks. `weights`: those that are shipped if None."""
        w = self._weights = net_weights() if weights is None else weights
        self._beat, self._bar = beat, bar
        units = w["gaps"].shape[-1]
        # a gap in the last bin has the share 0 of the row after it, which belongs to the next onset
        self._of_gaps = np.vstack([w["gaps"].reshape(-1, units), np.zeros((1, units), np.float32)])
        self._of_onsets = w["onsets"].reshape(-1, units)
        self._rows = np.arange(SEEN) * BINS
        flags = np.array(meter_flags(meter), np.float32)
        self._constant = w["bias"] + flags @ w["context"][:-2]
        self._prior_constant = w["prior_bias"] + flags @ w["prior"][:-2]
        self._features, self._frame = GridFeatures(), GridFrame()
        self._onsets = np.zeros((SEEN, OF_ONSET), np.float32)
        self._log_gaps = np.full(SEEN, np.nan)
        self._places: deque[float] = deque(maxlen=AFTER + 2)
        self._last_s = -math.inf
        self._begin()

    def _begin(self) -> None:
        self._sums = np.zeros((len(LEVELS), PLACES), np.float32)
        self._judged = 0.0
        self._places.clear()
        self.posterior: Singles | None = None
        """Probability of each grid [levels, PLACES]: with the beat of the frame times the level, it begins so many
        twenty-fourths of a beat earlier. It is smoothed by adding the two places beside. None before an onset is
        judged."""

    def hear(self, onset_s: float, before: frozenset[int], bank: HypothesisBank, steady: bool) -> HypothesisBank:
        """Use an onset at `onset_s` seconds, and return `bank`, which has heard it, with weights that count the net.

        `before` has the pitches of the onset before. If the player is not `steady`, the weights stay as they are.
        """
        gap_s = onset_s - self._last_s
        self._last_s = onset_s
        if gap_s < math.inf and before:
            self._onsets[:-1] = self._onsets[1:]
            self._onsets[-1] = self._features.hear(before)
            self._log_gaps[:-1] = self._log_gaps[1:]
            self._log_gaps[-1] = math.log2(max(gap_s, SHORTEST_S))
        leader = None
        if not bank.whole[WAS_STRAY, 0]:
            beat_s = float(bank.real[QUARTER_S, 0]) * self._beat / QUARTER
            leader = beat_s, int(bank.whole[TICK, 0]) / self._beat + (onset_s - float(bank.real[TIME, 0])) / beat_s
        if self._frame.hear(gap_s, leader):
            self._begin()
        if self._frame.beat_s:
            self._places.append(self._frame.place)
        if len(self._places) > AFTER + 1:
            self._judge(self._places[0])
        return self.reweighed(bank, onset_s) if steady else bank

    def _judge(self, place: float) -> None:
        """Add the scores of the onset at `place` beats on the frame, and compute the posterior."""
        w = self._weights
        octave = math.log2(self._frame.beat_s)
        at = (self._log_gaps - octave - LOWEST_GAP) * GAP_STEPS - (_OCTAVES * GAP_STEPS)[:, None]
        missing = np.isnan(at)
        np.clip(at, 0, GAP_BINS - 1.001, out=at)
        at[missing] = GAP_BINS
        low = at.astype(np.int64)
        upper = (at - low).astype(np.float32)[:, None]
        low += self._rows
        hidden = ((1 - upper) @ self._of_gaps.take(low, 0) + upper @ self._of_gaps.take(low + 1, 0))[:, 0]
        octaves = (octave + _OCTAVES).astype(np.float32)
        both = np.stack([octaves, octaves * octaves], 1)
        hidden += self._onsets.ravel() @ self._of_onsets + self._constant
        hidden += both @ w["context"][-2:]
        np.maximum(hidden, 0, hidden)
        later = hidden @ w["hidden"]
        later += w["hidden_bias"]
        np.maximum(later, 0, later)
        scores = later @ w["answer"]
        level = scores[:, PLACES:]
        scores = scores[:, :PLACES] - scores[:, :PLACES].mean(1, keepdims=True)
        where = place / LEVELS[:, None] * PLACES
        first = np.floor(where)
        share = (where - first).astype(np.float32)
        index = (first.astype(np.int64) + _AT) % PLACES
        added = scores[_LEVEL, index]
        added += share * (scores[_LEVEL, (index + 1) % PLACES] - added)
        added += level
        self._sums *= KEEPS
        self._sums += added
        self._judged = self._judged * KEEPS + 1
        prior = np.tanh(both @ w["prior"][-2:] + self._prior_constant) @ w["prior_answer"]
        total = self._sums * np.float32(self._judged ** -w["power"].item()) + prior
        total -= total.max()
        np.exp(total, total)
        total /= total.sum()
        total += np.roll(total, 1, 1) + np.roll(total, -1, 1)
        self.posterior = total

    def shares(self, bank: HypothesisBank, onset_s: float) -> Floats:
        """Return the probability [n] of the grid of each hypothesis; 0 for a beat that is none of the levels."""
        assert self.posterior is not None
        beat_s = bank.real[QUARTER_S] * (self._beat / QUARTER)
        away = np.abs(LOG_LEVELS[:, None] - np.log(beat_s / self._frame.beat_s))
        level: Ints = away.argmin(0)
        at = bank.whole[TICK] / self._beat + (onset_s - bank.real[TIME]) / beat_s
        place = np.rint((at - self._frame.place / LEVELS[level]) * PLACES).astype(np.int64) % PLACES
        return np.where(away.min(0) > SAME_TEMPO, 0.0, self.posterior[level, place])

    def reweighed(self, bank: HypothesisBank, onset_s: float) -> HypothesisBank:
        """Return `bank` with weights that also count the posterior, in the order of the weights.

        `onset_s` is the time of the last onset in seconds. If no hypothesis is on the likeliest grid, one is added.
        """
        if self.posterior is None or self._judged < FIRST:
            return bank
        shares = self.shares(bank, onset_s)
        new = self._offered(bank, onset_s, shares)
        if new is not None:
            bank, shares = bank.and_also(new), np.append(shares, self.shares(new, onset_s))
        weight = (shares * GRIDS + LEAST) ** POWER * bank.real[WEIGHT]
        weight /= weight.sum()
        order = np.negative(weight).argsort(kind="stable")
        bank = bank.chosen(order)
        weight.take(order, out=bank.real[WEIGHT])
        return bank

    def _offered(self, bank: HypothesisBank, onset_s: float, shares: Floats) -> HypothesisBank | None:
        """Return a hypothesis on the likeliest grid if `bank`, whose grids have the probabilities `shares`, has none.

        The leader must have the onset on the grid, because the new one is made from it.
        """
        assert self.posterior is not None
        level, place = divmod(int(self.posterior.argmax()), PLACES)
        best = float(self.posterior[level, place])
        if best < CLEAR or bank.whole[WAS_STRAY, 0] or bank.real[WEIGHT] @ (shares > 0.7 * best) > FEW:
            return None
        at = (self._frame.place / LEVELS[level] + place / PLACES) * self._beat
        tick = round(at / SIXTEENTH) * SIXTEENTH
        if abs(at - tick) > FARTHEST_OFF:
            return None
        factor = self._frame.beat_s * LEVELS[level] * QUARTER / self._beat / float(bank.real[QUARTER_S, 0])
        new = at_place(bank, factor, tick % self._bar)
        new.real[TIME] = onset_s - (at - tick) / QUARTER * new.real[QUARTER_S]
        new.real[WEIGHT] = SHARE
        return new
