"""Looks at short parts of a file's channels: whether they cancel for a while, and which channels hold the music.

A plug that is turned, a switch of polarity or a cable that breaks changes the channels in the middle of a recording.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.files.sound.channel_choice import Floats

PART_SEGMENTS = 3
"""Segments of one part, about 1.1 s. See `channels.SEGMENT_S`."""
CANCELLED_PARTS = 2
"""Number of parts in a row in which the channels must cancel. Single parts may cancel by chance."""
LOUD_DB = 30.0
"""Decibels. A part or segment that is further below the loud ones holds no music that would be missed."""
PRESENT_DB = 20.0
"""Decibels. A channel further below the strongest one does not hold the music of a segment."""
SOFTEST_DB = 30.0
"""Decibels. A channel whose music is further below that of the strongest one is not chosen."""
NEARLY = 0.05
"""Share of the loud segments. A channel that holds the music in so many fewer than another holds it as long."""
_LOUD, _SOFT = 90.0, 10.0
"""Percentiles of the power of the segments or parts, for music and for noise."""


class CancelledParts:
    """Remembers in which parts of a file the channels cancel each other out."""

    def __init__(self) -> None:
        """Begin with no part."""
        self._energies: list[float] = []
        self._cancelled: list[bool] = []

    def add(self, energy: float, cancels: bool) -> None:
        """Add a part with the power `energy`. `cancels` says whether its channels cancel."""
        self._energies.append(energy)
        self._cancelled.append(cancels)

    def any(self) -> bool:
        """Return whether the channels cancel in CANCELLED_PARTS loud parts in a row."""
        if not self._energies:
            return False
        least = np.percentile(self._energies, _LOUD) * 10 ** (-LOUD_DB / 10)
        run = 0
        for energy, cancels in zip(self._energies, self._cancelled, strict=True):
            # a rest between two parts ends no run
            if energy >= least:
                run = run + 1 if cancels else 0
            if run == CANCELLED_PARTS:
                return True
        return False


def longest_present(levels: Floats) -> NDArray[np.bool_]:
    """Return which channels hold the music for as long as any, bool[channels].

    `levels` is the power of each segment, [segments, channels]. The steady noise of each channel does not count, and
    each channel is compared with its own loud segments, because one may be softer than another.
    """
    loud, soft = np.percentile(levels, (_LOUD, _SOFT), axis=0)
    strength = loud - soft
    is_music = strength > strength.max() * 10 ** (-SOFTEST_DB / 10)
    music = np.maximum(levels - soft, 0.0) / np.where(is_music, strength, np.inf)
    strongest = music.max(axis=1)
    is_loud = strongest > 10 ** (-LOUD_DB / 10)
    if not is_loud.any():
        return np.ones(levels.shape[1], np.bool_)
    present = music[is_loud] >= strongest[is_loud, None] * 10 ** (-PRESENT_DB / 10)
    share = present.mean(axis=0)
    return np.asarray(share >= share.max() - NEARLY)
