"""Describes each onset with all its keys by numbers, for the net that judges grids of another tempo or place."""

from __future__ import annotations

import numpy as np

from device.following.piece_melody import LEAP_CLASSES
from device.following.place_net import HEIGHT_RATE, KEYS, melody_features
from device.following.weights import Singles

REMEMBERED = (4, 12)
"""A pitch class is fresh if none of the last so many onsets had it. The features have both kinds."""
FRESH = 3
"""Number of classes of how many fresh pitch classes an onset has: 0, 1, and more."""
LAGS = (1, 2, 3, 4, 6, 8)
"""Numbers of onsets back to those whose highest key is compared."""
MELODY = LEAP_CLASSES + KEYS + 1
OF_ONSET = MELODY + FRESH * len(REMEMBERED) + len(LAGS) + 3
"""Numbers that describe an onset: interval, keys and height as for the net of the place, fresh pitch classes, repeats
of the highest key, and whether the lowest key falls, stays or rises."""


class GridFeatures:
    """Describes the onsets of one piece of music, one by one."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._lowest = 0
        self._tops: list[int] = []
        self._classes: list[int] = []
        """Pitch classes of the last onsets: bit i is set if class i sounds."""

    def hear(self, pitches: frozenset[int]) -> Singles:
        """Return the features [OF_ONSET] of the next onset, whose keys have the MIDI pitches `pitches`."""
        top, lowest = max(pitches), min(pitches)
        classes = 0
        for pitch in pitches:
            classes |= 1 << pitch % 12
        if self._mean is None:
            self._mean, self._lowest = float(top), lowest
        self._mean += HEIGHT_RATE * (top - self._mean)
        tops = self._tops
        out = np.zeros(OF_ONSET, np.float32)
        interval = top - tops[-1] if tops else 0
        out[:MELODY] = melody_features(interval, len(pitches), (top - self._mean) / 12)
        at = MELODY
        for onsets in REMEMBERED:
            known = 0
            for heard in self._classes[-onsets:]:
                known |= heard
            out[at + min((classes & ~known).bit_count(), FRESH - 1)] = 1.0
            at += FRESH
        for lag in LAGS:
            if len(tops) >= lag and tops[-lag] == top:
                out[at] = 1.0
            at += 1
        out[at + 1 + (lowest > self._lowest) - (lowest < self._lowest)] = 1.0
        self._lowest = lowest
        self._tops = [*tops, top][-max(LAGS) :]
        self._classes = [*self._classes, classes][-max(REMEMBERED) :]
        return out
