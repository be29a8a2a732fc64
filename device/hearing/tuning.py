"""Measures from the sound how far the piano is tuned from A4 = 440 Hz.

Every fourth hop, the peaks of the features' longest spectrum are found and their frequencies interpolated with a
parabola (Smith and Serra 1987). When a sure estimate is a minute old, every 16th hop is enough, and a spectrum then
counts four times. The distance of each peak from the nearest key is taken as an angle, 100 cents to a turn. The angle
of the weighted mean vector is the tuning (Dressler and Streich 2007), and its length, from 0 to 1, says how well the
peaks agree. For piano the length is 0.25 and more, for voices and noise 0.1 and less. A steady hum is no peak: a peak
must stand out of the lowest level of the last seconds (minimum statistics, Martin 2001).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from device.hearing.features import Features, FeatureSpec, asymmetric_window

DEAD_CENTS = 10.0
"""Up to this distance from 440 Hz, a piano counts as in tune. The net was trained with such pianos."""
STEP_CENTS = 8.0
"""Least change of the estimate, in cents, after which the front end is moved again."""
MOST_CENTS = 60.0
"""Largest distance from 440 Hz that can be estimated. Beyond 50 cents the nearest key is another one."""
FLATTEST_CENTS = -51.0
"""Lowest first estimate in cents. The highest is 100 cents above it.

Half a semitone flat and half a semitone sharp sound alike, except for the names of the keys. Strings become flat, so at
the same distance from both a piano is first taken to be flat.
"""
HALF_CENTS = 6.0
"""Greatest distance in cents from half a semitone at which a piano that seems flat may be sharp, or the reverse.

The estimate of a piano in tune is -4 to 5 cents (MAPS ENSTDkCl, two sampled pianos), so it may cross this border.
"""
NAMED_NOTES = 48
"""Number of last notes that decide between these two tunings."""
_FEWEST_NAMED, _FEWEST_CLASSES = 24, 4
"""Least number of notes, and of pitch classes among them, for a decision. A count-in on one key is not enough."""
_ODDS_A_CENT, _ODDS_FLAT, _ODDS_WHITE = 0.5, 0.7, 5.0
"""Evidence for a tuning, as a logarithm of odds: each cent within half a semitone, being flat, and white keys.

An estimate that is 3 cents wrong (standard deviation) lies within half a semitone with odds of about exp(0.5) for each
cent. The third value is for the share of white keys, from 0 to 1. Of 31 songs with 48 notes each (OpenScore Lieder),
the tuning with more white keys is the right one for 76 %, of 908 right hands of POP909 for 56 %.
"""
CLEAR_ODDS = 1.0
"""Least logarithm of odds at which the tuning is changed while somebody plays. In a file 0 is enough."""
_WHITE_CLASSES = frozenset({0, 2, 4, 5, 7, 9, 11})

_EVERY, _EVERY_SETTLED = 4, 16
"""Numbers of hops from one spectrum to the next: 64 ms, and 256 ms when the estimate has settled.

A piano's tuning does not change within a minute.
"""
_SETTLED = 937
"""A sure estimate has settled after this many spectra with peaks: a minute of sound."""
_LOWEST_HZ, _HIGHEST_HZ = 250.0, 2000.0
"""Range of the peaks. Below, keys lie closer together than three bins of a spectrum of 256 ms. Above, partials of
strings are sharp.
"""
_LEAST_DB, _BELOW_DB, _ABOVE_FLOOR_DB = -65.0, 40.0, 15.0
"""Least level of a peak in dBFS, most dB below the highest peak, and least dB above the floor."""
_FLOOR_RISE_DB = 0.064
"""The floor rises by at most this many dB from one spectrum to the next: 1 dB a second. It falls at once."""
_FEWEST = 40
"""An estimate is not sure before this many spectra with peaks: 2.6 s of sound."""
_LEAST_LENGTH = 0.22
"""Least length of the mean vector of a sure estimate."""
_FORGET = 1 - 1 / 1000
"""The old sum is multiplied by this at each spectrum, so that peaks of more than a minute ago count little."""
_SILENCE = 1e-14
"""Added to a power before its logarithm is taken: -140 dBFS."""
_DB = 10 / math.log(10)
"""Decibels of a natural logarithm of a power."""


def other_reading(tuning: float, pitches: Sequence[int], least_odds: float = 0.0) -> float | None:
    """Return a tuning in cents, a semitone from `tuning`, if the last notes make it likelier, else None.

    `pitches` are the MIDI pitches of these notes, as they are named with `tuning`. Near half a semitone, each note may
    also be the next key. More music lies on white keys than a semitone above or below them. `least_odds` is the least
    logarithm of odds for the other tuning.
    """
    if abs(abs(tuning) - 50) > HALF_CENTS or len(pitches) < _FEWEST_NAMED:
        return None
    move = -1 if tuning < 0 else 1
    classes = [pitch % 12 for pitch in pitches]
    if len(set(classes)) < _FEWEST_CLASSES:
        return None
    odds = _ODDS_A_CENT * (50 - abs(tuning)) - move * _ODDS_FLAT
    odds += _ODDS_WHITE * (_white(classes) - _white([one + move for one in classes]))
    return round(tuning - 100 * move, 1) if odds < -least_odds else None


def _white(classes: Sequence[int]) -> float:
    return sum(one % 12 in _WHITE_CLASSES for one in classes) / len(classes)


class TuningEstimate:
    """Measures the tuning of the piano in the spectra of a stream of hops, which features with `spec` make."""

    def __init__(self, spec: FeatureSpec) -> None:
        window = asymmetric_window(spec.window_lengths[0], spec.window_falls[0])
        self._hz = spec.sample_rate / len(window)
        self._first = round(_LOWEST_HZ / self._hz)
        self._bins = slice(self._first - 1, round(_HIGHEST_HZ / self._hz) + 2)
        self._gain = (2 / float(np.sum(window))) ** 2
        self._full = math.ceil(len(window) / spec.hop)
        """Number of hops that fill the window."""
        self.reset()

    def reset(self) -> None:
        """Forget all sound."""
        self._floor: NDArray[np.float64] | None = None
        self._sum, self._weight, self._hops = 0j, 0.0, 0
        self._every = _EVERY
        self._last = (math.ceil(self._full / _EVERY) - 1) * _EVERY
        """Number of the hop of the last spectrum. At first, that of the one before the first."""
        self.spectra = 0
        """Number of spectra with peaks since the reset."""

    def step(self, features: Features) -> bool:
        """Take the spectrum of `features` after each of its steps. Return whether the estimate may have changed."""
        self._hops += 1
        if self._hops % self._every or self._hops < self._full:
            return False
        counts, self._last = (self._hops - self._last) // _EVERY, self._hops
        has_peaks = self._take(self._gain * features.power[self._bins], counts)
        self._every = _EVERY_SETTLED if self.spectra >= _SETTLED and self._agrees else _EVERY
        return has_peaks

    @property
    def _agrees(self) -> bool:
        """Whether the peaks agree well enough for a sure estimate."""
        return bool(abs(self._sum) >= _LEAST_LENGTH * self._weight)

    def cents(self, used: float = 0.0) -> float | None:
        """Return the tuning in cents above A4 = 440 Hz. None if it is not sure, or more than 60 cents away.

        If the front end already uses a tuning `used` that is not 0, the answer is the one nearest to it.
        """
        if self.spectra < _FEWEST or not self._agrees:
            return None
        turn = float(np.angle(self._sum)) / (2 * math.pi) * 100
        lowest = used - 50 if used else FLATTEST_CENTS
        cents = lowest + (turn - lowest) % 100
        return cents if abs(cents) <= MOST_CENTS else None

    def better(self, used: float) -> float | None:
        """Return the tuning in cents to be used instead of `used`.

        None if `used` is good enough, or no estimate is sure.
        """
        cents = self.cents(used)
        if cents is None or abs(cents - used) <= (STEP_CENTS if used else DEAD_CENTS):
            return None
        return 0.0 if abs(cents) <= DEAD_CENTS else round(cents, 1)

    def _take(self, power: NDArray[np.float64], counts: int) -> bool:
        """Add the peaks of a spectrum. Return False if it has none.

        `power` has the bins of the range and one more on each side. A sine at full scale has the power 1. The spectrum
        counts as `counts` spectra.
        """
        level = np.log(power + _SILENCE)
        level *= _DB
        self._floor = level.copy() if self._floor is None else np.minimum(self._floor + counts * _FLOOR_RISE_DB, level)
        inner = level[1:-1]
        least = max(_LEAST_DB, float(np.maximum.reduce(inner)) - _BELOW_DB)
        # one comparison with the highest limit: each further function of numpy costs more than its numbers
        limit = self._floor[1:-1] + _ABOVE_FLOOR_DB
        np.maximum(limit, least, out=limit)
        np.maximum(limit, level[:-2], out=limit)
        is_peak = inner > limit
        is_peak &= inner >= level[2:]
        peaks = is_peak.nonzero()[0]
        if not len(peaks):
            return False
        left, middle, right = level.take(peaks), level.take(peaks + 1), level.take(peaks + 2)
        place = peaks + self._first + (left - right) / (2 * (left - 2 * middle + right))
        turns = 12 * np.log2(place * self._hz / 440)
        weight = middle - least
        kept = _FORGET**counts
        self._sum = self._sum * kept + counts * complex(np.add.reduce(weight * np.exp(2j * np.pi * turns)))
        self._weight = self._weight * kept + counts * float(np.add.reduce(weight))
        self.spectra += 1
        return True
