"""Holds the settings that turn the posteriors of the net into notes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from device.events import KEYS
from device.hearing.spec import Spec

OCTAVES = 8
"""Number of regions of keys, each with its own threshold: A0 to G#1, A1 to G#2, ..., A7 to C8."""


@dataclass(frozen=True)
class GateSpec(Spec):
    """Holds the settings that turn posteriors into notes.

    The export of a model fits them on validation data, and the manifest stores them.
    """

    onset: tuple[float, ...] = (0.5,) * OCTAVES
    """Onset threshold of each octave from A0, a posterior from 0 to 1."""
    rearm: float = 0.5
    """An onset posterior must fall below this share of its threshold before the key can give another note."""
    release: float = 0.3
    """A note ends when its frame posterior stays below this value for `release_frames` frames."""
    release_frames: int = 2
    offset: float = 2.0
    """A note ends at once when its offset posterior reaches this value. A value above 1 disables the rule."""
    shortest_frames: int = 2
    """Shortest length of a note, in frames, unless the key is struck again."""
    delay_frames: int = 3
    """Delay of the net in frames: its output describes what sounded this many frames ago."""
    later: tuple[int, ...] = (0,) * OCTAVES
    """Additional delay of each octave, in frames. The net needs longer to tell low notes apart."""
    shift_s: float = 0.0
    """Seconds added to every onset and offset.

    Fitted as the median difference between labelled and detected onsets, minus 10 ms from key stroke to sound.
    """
    own_before_s: float = 0.25
    """An onset at most this many seconds after the box struck the same key counts as the sound of the box."""
    own_after_s: float = 0.05
    """An onset at most this many seconds before the box struck the same key counts as the sound of the box."""
    own_threshold: float = 0.95
    """An onset on a key that the box struck still counts as the player's if its posterior reaches this value."""
    wake: float = 0.0
    """Least posterior of a sure onset, which wakes the gate and passes while the gate sleeps.

    With 0, every onset that reaches its threshold is sure.
    """
    wake_onsets: int = 3
    """This many onsets above their thresholds within `wake_within_s` seconds also wake the gate."""
    wake_within_s: float = 2.0
    awake_s: float = 4.0
    """The gate falls asleep this many seconds after the last onset that woke it."""
    reliability: tuple[float, float] = (1.0, 0.0)
    """Slope and offset of a linear map from the log-odds of a posterior to those of a true note (Platt 1999)."""

    def confidence(self, posterior: float) -> float:
        """Return the probability, 0 to 1, that a note that passed with this onset posterior was really played."""
        slope, offset = self.reliability
        p = min(max(posterior, 1e-6), 1 - 1e-6)
        return 1 / (1 + math.exp(-(slope * math.log(p / (1 - p)) + offset)))

    def asked(self, confidence: float) -> GateSpec:
        """Return a copy of these settings with stricter thresholds, or less strict ones. 0.5 changes nothing.

        The odds of every threshold, and of `wake`, are multiplied by the odds of `confidence` (between 0 and 1, not 0
        or 1).
        """
        odds = confidence / (1 - confidence)

        def moved(threshold: float) -> float:
            return threshold * odds / (1 - threshold + threshold * odds)

        return replace(self, onset=tuple(map(moved, self.onset)), wake=moved(self.wake))

    def delays(self) -> NDArray[np.int64]:
        """Return the delay of the net for each of the 88 keys, in frames."""
        return self.delay_frames + np.repeat(np.asarray(self.later, np.int64), 12)[:KEYS]

    def thresholds(self) -> NDArray[np.float32]:
        """Return the onset threshold of each of the 88 keys."""
        return np.repeat(np.asarray(self.onset, np.float32), 12)[:KEYS]
