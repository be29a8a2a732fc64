"""Estimates the key of the player's music. The left hand ends on the tonic chord of that key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from device.left_hand.chord_names import label
from device.left_hand.harmony import Chord

PROFILES = np.array(
    [
        [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
        [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
    ]
)
"""[2, 12] key profiles of Krumhansl and Kessler (1982), major and minor, in semitones above the tonic."""
MEMORY_STEPS = 256.0
"""Steps after which a heard step has the weight 1/e: sixteen bars of 4/4.

Old steps must fade, because a player who changes the key ends in the new key.
"""

_DECAY = float(np.exp(-1.0 / MEMORY_STEPS))
_ROTATED = np.array([np.roll(profile, root) for profile in PROFILES for root in range(12)])
_ROTATED = (_ROTATED - _ROTATED.mean(axis=1, keepdims=True)) / _ROTATED.std(axis=1, keepdims=True)


class Tonality:
    """Finds the key of the music by how long each pitch class has sounded."""

    def __init__(self) -> None:
        self.key: int | None = None
        """The key that the owner gave: 0 to 11 are major, 12 to 23 minor. None: it is found in the music."""
        self.reset()

    def reset(self) -> None:
        """Forget everything heard. The key that the owner gave is kept."""
        self._sounded = np.zeros(12)
        self._heard = False

    def at(self, sounding: Sequence[int]) -> None:
        """Count the pitch classes that sound at one step. `sounding` [12] is the number of keys down for each."""
        self._sounded *= _DECAY
        down = [pitch_class for pitch_class, keys in enumerate(sounding) if keys]
        if down:
            self._sounded[down] += 1.0
            self._heard = True

    def tonic(self) -> Chord | None:
        """Return the tonic triad of the owner's key, or of the likeliest key. None before anything has sounded."""
        if self.key is not None and self._heard:
            return tonic_triad(self.key)
        return tonic_triad(int(np.argmax(_ROTATED @ self._sounded))) if self._heard else None


@cache
def tonic_triad(key: int) -> Chord:
    """Return the tonic triad of a key: 0 to 11 are C major to B major, 12 to 23 are C minor to B minor."""
    root, minor = key % 12, key >= 12
    classes = (root, (root + (3 if minor else 4)) % 12, (root + 7) % 12)
    return Chord(classes, label(list(classes), root))
