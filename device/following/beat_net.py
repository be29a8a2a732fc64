"""Tells the place of each onset in the beat by a small recurrent net that never sees the clock's grid.

The net carries a place in the beat and a tempo of its own. At each onset the place moves on by the gap, as in a
phase-locked loop. A GRU reads the new place and what is known of the onset: gaps in seconds and in beats, interval,
number of keys, height, metre. It answers with a posterior over `PLACES` places, counted from its own place. The
posterior pulls this place, and two small outputs correct place and tempo. The clock multiplies the weights of its
hypotheses by a small power of the posterior: a grid that has slipped explains all that follows, and the net has not
slipped with it. The net is fitted on scores that are played with simulated rubato (`python -m training beat`).
"""

from __future__ import annotations

import math
from collections import deque
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from device.clock.meter import Meter
from device.following.bank import QUARTER_S, TICK, TIME, WEIGHT, HypothesisBank
from device.following.gru import Gru
from device.following.next_onset import QUARTER
from device.following.rhythm import Floats
from device.following.weights import Singles, read_weights

FREE_S = 0.6
"""Unit of time in seconds without a count-in. After a count-in it is the counted beat."""
TAPS = 4
"""Number of taps that the net hears of each count-in."""
SHORTEST_S, MOST_UNITS = 0.02, 64.0
"""A shorter gap counts as this one, in seconds. A longer gap counts as this one, in units."""
AGO = (4, 8)
"""The net also sees the time since the onset so many onsets before."""
SECONDS = (-6.0, 3, 28)
"""Bins of the gap in seconds: binary logarithm of the lowest, bins in an octave, and number of bins."""
WINDOW = (-2.0, 2, 9)
"""The same for the times in `AGO`, in units."""
GAP = (-4.0, 6, 37)
"""The same for the gap in beats of the net's own tempo."""
FARTHEST = 13
"""A larger interval, in semitones, counts as this one."""
KEYS, HEIGHT_RATE, HIGHEST = 3, 0.06, 1.5
"""Most keys that are told apart; weight of an onset in the running mean of the pitch; greatest height in octaves."""
METER_FLAGS = 6
AT_INTERVAL = SECONDS[2]
AT_KEYS = AT_INTERVAL + 2 * FARTHEST + 1
AT_METER = AT_KEYS + KEYS
AT_COUNTED = AT_METER + METER_FLAGS
AT_TAP = AT_COUNTED + 2
AT_WINDOWS = AT_TAP + 3
STATIC = AT_WINDOWS + len(AGO) * WINDOW[2]
"""Indexes of the inputs that do not depend on the net's own place and tempo, and their number: the gap in seconds, the
interval, the keys of the onset before, the metre, whether there was a count-in and the logarithm of the unit over
FREE_S, whether it is a tap, the height, whether it is the first onset, and the two windows."""
PLACES, UNITS, HARMONICS = 24, 112, 6
"""Places in the beat that are told apart (sixteenths and triplets), size of the GRU, and of the features of the place.
"""
PULL, MOVES, BENDS = 0.3, 0.15, 0.12
"""Share of the posterior's mean that moves the place; largest further correction of the place in beats, and of the
tempo's binary logarithm."""
SLOWEST, FASTEST = -1.5, 1.7
"""Limits of the binary logarithm of the net's beat in units."""
POWER, LEAST = 0.08, 0.3
"""The weight of a hypothesis is multiplied by (PLACES * share + LEAST) ** POWER. The power is small, because the net
hears the same onsets as the hypotheses, and the next onsets are not independent of these."""
FILE = Path(__file__).with_name("beat_net.npz")

_TURNS = 2 * np.pi * np.arange(PLACES) / PLACES
_COS, _SIN = np.cos(_TURNS).astype(np.float32), np.sin(_TURNS).astype(np.float32)
_WAVES = 2 * np.pi * np.arange(1, HARMONICS + 1)
_BEFORE, _AFTER = (np.arange(PLACES) - 1) % PLACES, (np.arange(PLACES) + 1) % PLACES


class Weights(NamedTuple):
    """Weights of the net as float32 arrays, by the names in `training.beat_net.net`."""

    static: Singles
    own: Singles
    past: Singles
    bias: Singles
    past_bias: Singles
    hidden: Singles
    hidden_bias: Singles
    answer: Singles
    answer_bias: Singles
    correct: Singles
    correct_bias: Singles


@cache
def net_weights() -> Weights:
    """Return the weights that are shipped."""
    return Weights(**read_weights(FILE))


def meter_flags(meter: Meter) -> list[float]:
    """Return six flags: compound, half-note beats, other beats of an eighth or shorter, 2, 3 or 4 beats in a bar."""
    bar = meter.beats_per_bar
    plain_eighths = meter.beat_type >= 8 and not meter.compound
    return [float(f) for f in (meter.compound, meter.beat_type == 2, plain_eighths, bar == 2, bar == 3, bar == 4)]


class BeatNet:
    """Hears the onsets of one piece of music, one by one."""

    def __init__(self, meter: Meter, weights: Weights | None = None) -> None:
        """Begin without a count-in. `weights`: those that are shipped if None."""
        self._weights = net_weights() if weights is None else weights
        self._meter = np.array(meter_flags(meter), np.float32) @ self._weights.static[AT_METER:AT_COUNTED]
        # the bias of the gates is in that of the inputs
        past_bias = np.concatenate((np.zeros(2 * UNITS, np.float32), self._weights.past_bias))
        self._gru = Gru(self._weights.past, past_bias)
        self._seen = np.empty(2 * HARMONICS, np.float32)
        self._begin(FREE_S, counted=False)

    def _begin(self, unit_s: float, *, counted: bool) -> None:
        w = self._weights
        self._unit_s, self._unit = unit_s, math.log2(unit_s)
        known = np.array([counted, self._unit - math.log2(FREE_S)], np.float32)
        self._constant = w.bias + self._meter + known @ w.static[AT_COUNTED:AT_TAP]
        self._gru.forget()
        self._times_s: deque[float] = deque(maxlen=max(AGO) + 1)
        self._mean: float | None = None
        self._place, self._log_tempo = 0.0, 0.0
        self.own_place = 0.0
        """Place in beats from which `posterior` is counted."""
        self.posterior = np.full(PLACES, 1 / PLACES, np.float32)
        """Probability of each place at the last onset [PLACES]: the first is `own_place`, and they go around a beat."""
        self.mean = 0.0, 0.0
        """Mean of cosine and sine of the posterior's places, counted from `own_place`, as angles (a turn is a beat)."""
        self._smooth: tuple[Singles, Singles] | None = None
        """A posterior, and the same smoothed."""

    @property
    def beat_s(self) -> float:
        """Length of the net's beat in seconds."""
        return self._unit_s * math.exp2(self._log_tempo)

    def count_in(self, last_s: float, beat_s: float) -> None:
        """Begin again after a count-in with beats of `beat_s` seconds, whose last count was at `last_s` seconds."""
        self._begin(beat_s, counted=True)
        for i in reversed(range(TAPS)):
            self._step(last_s - i * beat_s, semitones=0, keys=1, height=0.0, tap=True)

    def hear(self, onset_s: float, pitch: int, semitones: int, keys: int) -> None:
        """Use an onset at `onset_s` seconds whose first key is `pitch`.

        `semitones` is the interval from the top key of the onset before, and `keys` the number of keys of that onset.
        """
        height = 0.0
        if self._mean is None:
            self._mean, semitones = float(pitch), 0
        else:
            self._mean += HEIGHT_RATE * (pitch - semitones - self._mean)
            height = min(max((pitch - self._mean) / 12, -HIGHEST), HIGHEST)
        self._step(onset_s, semitones=semitones, keys=keys, height=height, tap=False)

    def _step(self, onset_s: float, *, semitones: int, keys: int, height: float, tap: bool) -> None:
        """Let the net hear a tap or an onset at `onset_s` seconds. Place, tempo, memory and posterior change.

        `semitones` and `keys` are those of `hear`. `height` is the distance from the usual pitch in octaves.
        """
        first = not self._times_s
        log_gap = math.log2(max(onset_s - (onset_s if first else self._times_s[-1]), SHORTEST_S)) - self._unit
        units = 0.0 if first else min(2.0**log_gap, MOST_UNITS)
        self._times_s.append(onset_s)
        place = self._place + units * 2.0**-self._log_tempo
        place = 0.0 if tap else place - math.floor(place)
        self._gru.step(self._inputs(place, log_gap, self._known(log_gap, semitones, keys, height, tap)))
        self._answer()
        self.own_place = place
        if not tap:
            w, (x, y) = self._weights, self.mean
            move, bend = np.tanh(self._gru.memory.dot(w.correct) + w.correct_bias).tolist()
            place += PULL * math.hypot(x, y) * math.atan2(y, x) / (2 * math.pi) + MOVES * move
            self._log_tempo = min(max(self._log_tempo + BENDS * bend, SLOWEST), FASTEST)
        self._place = place

    def _inputs(self, place: float, log_gap: float, known: tuple[list[int], list[float]]) -> Singles:
        """Return the sums [3 * UNITS] of the weighted inputs.

        `place` is the net's own place in beats, `log_gap` the binary logarithm of the last gap in units, and `known` is
        the result of `_known`.
        """
        w, seen = self._weights, self._seen
        rows, shares = known
        new = np.array(shares, np.float32).dot(w.static.take(rows, 0))
        new += self._constant
        waves = _WAVES * place
        np.cos(waves, seen[:HARMONICS], casting="same_kind")
        np.sin(waves, seen[HARMONICS:], casting="same_kind")
        low, share = _bin(log_gap - self._log_tempo, GAP)
        at = 2 * HARMONICS
        more = seen.dot(w.own[:at])
        more += np.float32(1 - share) * w.own[at + low]
        more += np.float32(share) * w.own[at + low + 1]
        new += more
        new += np.float32(self._log_tempo) * w.own[-1]
        return np.asarray(new)

    def _answer(self) -> None:
        """Set the posterior and its mean by the memory."""
        w = self._weights
        hidden = self._gru.memory.dot(w.hidden)
        hidden += w.hidden_bias
        logits = np.maximum(hidden, 0, hidden).dot(w.answer)
        logits += w.answer_bias
        logits -= np.maximum.reduce(logits)
        self.posterior = np.exp(logits, logits)
        self.posterior /= np.add.reduce(logits)
        self.mean = float(self.posterior.dot(_COS)), float(self.posterior.dot(_SIN))

    def _known(
        self, log_gap: float, semitones: int, keys: int, height: float, tap: bool
    ) -> tuple[list[int], list[float]]:
        """Return the indexes and the values of those inputs that are not 0, without the metre and the unit."""
        first = len(self._times_s) == 1
        rows = [
            AT_INTERVAL + FARTHEST + min(max(semitones, -FARTHEST), FARTHEST),
            AT_KEYS + min(max(keys, 1), KEYS) - 1,
        ]
        shares = [1.0, 1.0]
        if not first:
            low, share = _bin(log_gap + self._unit, SECONDS)
            rows += [low, low + 1]
            shares += [1 - share, share]
        rows += [AT_TAP, AT_TAP + 1, AT_TAP + 2]
        shares += [float(tap), height, float(first)]
        for i, ago in enumerate(AGO):
            if len(self._times_s) > ago:
                since_s = self._times_s[-1] - self._times_s[-1 - ago]
                low, share = _bin(math.log2(max(since_s, SHORTEST_S)) - self._unit, WINDOW)
                rows += [AT_WINDOWS + i * WINDOW[2] + low, AT_WINDOWS + i * WINDOW[2] + low + 1]
                shares += [1 - share, share]
        return rows, shares

    def reweighed(self, bank: HypothesisBank, onset_s: float, beat: int) -> HypothesisBank:
        """Return `bank` with weights that also count the posterior, in the order of the weights.

        `onset_s` is the time of the last onset in seconds, `beat` the length of a felt beat in ticks. The posterior is
        smoothed over three places, and between two places it is interpolated.
        """
        place = onset_s - bank.real[TIME]
        place *= QUARTER
        place /= bank.real[QUARTER_S]
        place += bank.whole[TICK]
        place /= beat
        weight = self.shares_at(place)
        weight *= PLACES
        weight += LEAST
        np.power(weight, POWER, weight)
        weight *= bank.real[WEIGHT]
        weight /= np.add.reduce(weight)
        return bank.reweighed(weight)

    def shares_at(self, place: Floats) -> Floats:
        """Return the smoothed posterior [n] at places [n] in beats."""
        smooth = self._smoothed()
        at = place - self.own_place
        at *= PLACES
        low = np.floor(at)
        at -= low
        index = low.astype(np.int64)
        index %= PLACES
        share = smooth.take(index) * (1 - at)
        at *= smooth.take(_AFTER.take(index))
        share += at
        return np.asarray(share)

    def share_at(self, place: float) -> float:
        """Return the smoothed posterior at one place in beats."""
        smooth = self._smoothed()
        at = (place - self.own_place) * PLACES
        low = math.floor(at)
        at -= low
        return float(smooth[low % PLACES]) * (1 - at) + at * float(smooth[(low + 1) % PLACES])

    def _smoothed(self) -> Singles:
        """Return the posterior smoothed over three places, which is computed once for each onset."""
        p = self.posterior
        if self._smooth is None or self._smooth[0] is not p:
            smooth = p.take(_BEFORE)
            smooth += p.take(_AFTER)
            smooth *= 0.25
            smooth += 0.5 * p
            self._smooth = p, smooth
        return self._smooth[1]


def _bin(value: float, bins: tuple[float, int, int]) -> tuple[int, float]:
    """Return the lower of the two bins that `value` lies between, and the share of the upper one (0 to 1)."""
    lowest, per, number = bins
    at = min(max((value - lowest) * per, 0.0), number - 1.0)
    low = min(int(at), number - 2)
    return low, at - low
