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
from numpy.lib.stride_tricks import sliding_window_view

from device.clock.meter import Meter
from device.following.bank import QUARTER_S, TICK, TIME, WAS_STRAY, WEIGHT, HypothesisBank
from device.following.beat_net import meter_flags
from device.following.grid_features import OF_ONSET, GridFeatures
from device.following.grid_frame import BETWEEN, LEVELS, LOG_LEVELS, SAME_TEMPO, GridFrame
from device.following.next_onset import QUARTER, SIXTEENTH
from device.following.other_tempo import at_place
from device.following.place_net import GAP_BINS, GAP_STEPS, LOWEST_GAP
from device.following.rhythm import Ints
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
FIRST = 20.0
"""The weights change only after so many onsets were judged. With fewer, the net can lead the clock of a player of even
sixteenths to a beat of three sixteenths. On that grid the player does not seem steady, so the clock stays there."""
POWER, LEAST = 0.2, 0.3
"""The weight of a hypothesis is multiplied by (GRIDS * probability + LEAST) ** POWER when onsets were judged."""
AT_ONCE = 2
"""Number of onsets that are judged together, because this takes less time than to judge each one by itself."""
GRIDS = len(LEVELS) * PLACES / 3
"""Number of grids that differ: three places beside each other are one."""
CLEAR, FEW, SHARE = 0.3, 0.003, 0.03
"""A hypothesis with the weight SHARE is added for a grid of probability CLEAR if those like it have less than FEW."""
FARTHEST_OFF = 2.0
"""No hypothesis is added if the onset is farther from a sixteenth of its grid than this, in ticks."""
SURELY_STEADY = 0.45
"""For `lock` the net judges a player only if the manners with an even tempo have more weight than this (`Ways.share`).
"""
LEAST_SHARE = 1e-3
"""A probability is within this distance from 0 and from 1 in `log_odds`."""
NEAR_TEMPO = 0.15
"""A beat from outside has the probability of a level if their natural logarithms differ by less than this."""
PRIOR_STEP = 0.02
"""The prior of the tempi is computed again if the beat has changed by more than this, in octaves."""
LOWEST = -40.0
"""Least natural logarithm of a probability. Much smaller numbers (denormal ones) take long to multiply."""
FILE = Path(__file__).with_name("grid_net.npz")

_OCTAVES = np.log2(LEVELS).astype(np.float32)[:, None]
_STEPS = _OCTAVES * GAP_STEPS
_ROWS = np.arange(len(LEVELS) * AT_ONCE)[:, None] * PLACES
_TURNS = np.add.outer(np.arange(PLACES), np.arange(PLACES)) % PLACES
_SMOOTH = np.sum([np.roll(np.eye(PLACES, dtype=np.float32), turn, 1) for turn in (-1, 0, 1)], 0)
_GAPS = SEEN * BINS
_WIDTH = _GAPS + 4
"""Rows of the weights of the gaps, and of all inputs that depend on the level: one more row that is 0, the binary
logarithm of the beat in seconds and its square, and a 1."""


@cache
def net_weights() -> dict[str, Singles]:
    """Return the weights that are shipped, by the names in `training.grid_net`."""
    return read_weights(FILE)


class GridNet:
    """Hears the onsets of one piece of music, one by one, with the bank that the clock has then."""

    def __init__(self, meter: Meter, beat: int, bar: int, weights: dict[str, Singles] | None = None) -> None:
        """Begin without evidence. `beat` and `bar` are in ticks. `weights`: those that are shipped if None."""
        w = net_weights() if weights is None else weights
        self._beat, self._bar = beat, bar
        flags = np.array(meter_flags(meter), np.float32)
        units = w["gaps"].shape[-1]
        self._of_gaps = np.vstack(
            [
                *(w["gaps"].reshape(-1, units), np.zeros((1, units), np.float32)),
                *(w["context"][-2:], w["bias"] + flags @ w["context"][:-2]),
            ],
            dtype=np.float32,
        )
        self._of_onsets = w["onsets"].reshape(-1, units)
        self._hidden, self._hidden_bias = w["hidden"], w["hidden_bias"]
        # one product gives the scores of each place, less their mean, and how much more the next place has
        answer, level = w["answer"][:, :PLACES], w["answer"][:, PLACES:]
        answer = answer - answer.mean(1, keepdims=True) + level
        self._answer = np.hstack([answer, np.roll(answer, -1, 1) - answer])
        self._of_prior, self._prior_answer = w["prior"][-2:], w["prior_answer"]
        self._prior_constant = w["prior_bias"] + flags @ w["prior"][:-2]
        self._prior, self._prior_octave = np.zeros((len(LEVELS), 1), np.float32), math.inf
        self._power = w["power"].item()
        self._features, self._frame = GridFeatures(), GridFrame()
        size = SEEN + AT_ONCE - 1
        self._onsets, self._log_gaps = np.zeros(size * OF_ONSET, np.float32), np.zeros(size, np.float32)
        self._heard = 0
        # views of what the net sees for each onset that it judges
        self._onset_views = sliding_window_view(self._onsets, SEEN * OF_ONSET)[::OF_ONSET]
        self._low, self._upper = np.zeros((len(LEVELS), size), np.int64), np.zeros((len(LEVELS), size), np.float32)
        self._low_views = sliding_window_view(self._low, SEEN, axis=1)
        self._upper_views = sliding_window_view(self._upper, SEEN, axis=1)
        self._inputs = np.zeros((len(LEVELS), AT_ONCE, _WIDTH), np.float32)
        self._row = np.arange(0, self._inputs.size, _WIDTH).reshape(-1, AT_ONCE, 1) + np.arange(SEEN) * BINS
        self._places: deque[float] = deque(maxlen=AFTER + 1 + AT_ONCE)
        self._last_s = -math.inf
        self._begin()

    def _begin(self) -> None:
        self._sums = np.zeros((len(LEVELS), PLACES), np.float32)
        self._judged, self._waiting = 0.0, 0
        self._places.clear()
        self.posterior: Singles | None = None
        """Probability of each grid [levels, PLACES]: with the beat of the frame times the level, it begins so many
        twenty-fourths of a beat earlier. It is smoothed by adding the two places beside. None before an onset is
        judged."""

    def hear(self, onset_s: float, before: frozenset[int], bank: HypothesisBank, steady: bool) -> HypothesisBank:
        """Use an onset at `onset_s` seconds, and return `bank`, which has heard it, with weights that count the net.

        `before` has the pitches of the onset before. If the player is not `steady` (`Hypotheses.keeps_time`), the
        weights stay as they are.
        """
        gap_s = onset_s - self._last_s
        self._last_s = onset_s
        if gap_s < math.inf and before:
            self._heard += 1
            self._onsets[:-OF_ONSET] = self._onsets[OF_ONSET:]
            self._onsets[-OF_ONSET:] = self._features.hear(before)
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
        self._waiting += len(self._places) > AFTER + 1
        if self._waiting >= AT_ONCE:
            self._judge()
            self._waiting = 0
            if steady:
                return self.reweighed(bank, onset_s)
        return bank

    def _judge(self) -> None:
        """Add the scores of the onsets at the first AT_ONCE places, and compute the posterior."""
        octave = math.log2(self._frame.beat_s)
        self._see(octave)
        added = self._scores()
        for i in range(AT_ONCE):
            self._sums *= KEEPS
            self._sums += added[:, i]
            self._judged = self._judged * KEEPS + 1
        if abs(octave - self._prior_octave) > PRIOR_STEP:
            self._prior_octave = octave
            levels = self._inputs[:, 0, -3:-1]
            self._prior = np.tanh(levels @ self._of_prior + self._prior_constant) @ self._prior_answer
        total = self._sums * self._judged**-self._power
        total += self._prior
        total -= total.max()
        np.maximum(total, LOWEST, total)
        np.exp(total, total)
        total *= 1 / total.sum()
        self.posterior = total @ _SMOOTH

    def _see(self, octave: float) -> None:
        """Write what depends on the level into the inputs [levels, AT_ONCE, _WIDTH].

        `octave` is the binary logarithm of the frame's beat in seconds.
        """
        at = (self._log_gaps - (octave + LOWEST_GAP)) * GAP_STEPS - _STEPS
        np.maximum(at, 0, at)
        np.minimum(at, GAP_BINS - 1.001, at)
        if self._heard < len(self._log_gaps):
            at[:, : len(self._log_gaps) - self._heard] = GAP_BINS
        self._low[:] = at
        np.subtract(at, self._low, self._upper, casting="unsafe")
        low, upper = self._low_views + self._row, self._upper_views
        inputs = self._inputs
        inputs.fill(0)
        # an onset before the music has no upper bin: its 0 is overwritten by the lower bin of the next onset
        inputs.put(low + 1, upper)
        inputs.put(low, 1 - upper)
        octaves = _OCTAVES + octave
        inputs[:, :, -3], inputs[:, :, -2], inputs[:, :, -1] = octaves, octaves * octaves, 1.0

    def _scores(self) -> Singles:
        """Return the scores of the seen onsets for each grid, [levels, AT_ONCE, PLACES]."""
        # one product of two matrices is quicker than one for each level
        hidden = self._inputs.reshape(len(_ROWS), _WIDTH) @ self._of_gaps
        by_level = hidden.reshape(len(LEVELS), AT_ONCE, -1)
        by_level += np.ascontiguousarray(self._onset_views) @ self._of_onsets
        np.maximum(hidden, 0, hidden)
        later = hidden @ self._hidden
        later += self._hidden_bias
        np.maximum(later, 0, later)
        scores = later @ self._answer
        where = np.multiply.outer(PLACES / LEVELS, list(self._places)[:AT_ONCE]).reshape(-1, 1)
        first = np.floor(where)
        scores[:, PLACES:] *= where - first
        added = scores[:, :PLACES] + scores[:, PLACES:]
        index = _TURNS.take(first.astype(np.int64) % PLACES, 0)[:, 0]
        index += _ROWS
        return np.asarray(added.take(index).reshape(-1, AT_ONCE, PLACES))

    def shares(self, bank: HypothesisBank, onset_s: float) -> Singles:
        """Return the probability [n] of the grid of each hypothesis; 0 for a beat that is none of the levels."""
        assert self.posterior is not None
        beat_s = bank.real[QUARTER_S] * (self._beat / QUARTER)
        log_ratio = np.log(beat_s)
        log_ratio -= math.log(self._frame.beat_s)
        level: Ints = BETWEEN.searchsorted(log_ratio)
        log_ratio -= LOG_LEVELS.take(level)
        at = onset_s - bank.real[TIME]
        at /= beat_s
        at += bank.whole[TICK] * (1 / self._beat)
        at -= (self._frame.place / LEVELS).take(level)
        at *= PLACES
        place = np.rint(at).astype(np.int64)
        place %= PLACES
        shares: Singles = self.posterior.take(level * PLACES + place)
        shares *= np.abs(log_ratio) < SAME_TEMPO
        return shares

    @property
    def beat_s(self) -> float:
        """Return the beat of the kept grid in seconds, which the levels multiply; 0 before the first onset."""
        return self._frame.beat_s

    def tempo_share(self, beat_s: float) -> float | None:
        """Return the probability that the beat is `beat_s` seconds long, at any place.

        It is 0 for a beat that is none of the levels, and None if too few onsets were judged.
        """
        if self.posterior is None or self._judged < FIRST:
            return None
        log_ratio = math.log(beat_s / self._frame.beat_s)
        level = int(BETWEEN.searchsorted(log_ratio))
        if abs(float(LOG_LEVELS[level]) - log_ratio) > NEAR_TEMPO:
            return 0.0
        # each probability is the sum of three neighbours, which cancels out
        return float(self.posterior[level].sum() / self.posterior.sum())

    def log_odds(self, lead: HypothesisBank, steady: float) -> float | None:
        """Return the log odds of the grid of the first hypothesis of `lead`, after the last onset.

        `steady` is `Ways.share`. The result is None if too few onsets were judged or the player is not steady enough.
        """
        if self.posterior is None or self._judged < FIRST or steady <= SURELY_STEADY:
            return None
        share = float(self.shares(HypothesisBank(lead.real[:, :1], lead.whole[:, :1]), self._last_s)[0])
        share = min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)
        return math.log(share / (1 - share))

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
        return bank.reweighed(weight)

    def _offered(self, bank: HypothesisBank, onset_s: float, shares: Singles) -> HypothesisBank | None:
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
