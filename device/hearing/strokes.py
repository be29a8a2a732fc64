"""Decides whether a key that rings was struck again at a click, or only seems so to the net.

The end of a beep and a loss of sound are clicks, or at least sudden changes. The net hears them as strokes of every key
that rings. But a stroke makes the partials of its key louder for a long time, and a click does so for a few
milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from device.events import LOWEST_KEY
from device.hearing.beep_trains import Tone
from device.hearing.kept_tones import KeptTones
from device.hearing.tone_levels import hz_of

_LOWEST = 55 - LOWEST_KEY
"""Number of the lowest key that is checked, G3. The partials of lower ones lie too close together for the window."""
_RISE_DB = 1.5
"""Least mean rise in dB of the partials of a key that was struck.

At the end of predicted beeps, 77 of 100 onsets without a stroke rise by less than this, and 2 of 100 strokes.
"""
_LOWEST_RISE_DB = 6.0
"""A key was struck too if the lowest of its partials that counts rises by so many dB.

A loud beep hides a stroke just after its beginning, and the net hears the stroke at the end. The higher partials then
seem to fall, because the beep also reached their windows. No key that only rings rises by so much.
"""
_LOSS_RISE_DB = 2.5
"""Least mean rise in dB of the partials of a key that was struck at a loss of sound.

Of 133 strokes that were held back at jumps of instruments whose notes begin at once, 55 % reach it, and of 1,185 false
onsets at lost blocks 2 %.
"""
_PARTIALS = 4
"""Number of partials that are measured."""
_BEFORE = 2
"""Number of frames before the onset, as the net gives it, at which the level before the stroke is measured."""
_FLOOR_DB = 40.0
"""A partial that is softer by this than its fundamental counts as silent, because noise rises and falls too."""
_FREE_HZ = 70.0
"""A partial counts only if no partial of a beep lies within this distance in Hz. The window cannot separate them."""


def is_struck(kept: KeptTones, key: int, age: int, beeps: Iterable[Tone]) -> bool:
    """Return whether the partials of `key` are louder now than before its onset `age` frames ago, as after a stroke.

    `key` counts from 0 for A0. Partials near those of `beeps` do not count. If none is left, the answer is yes, and
    also for a key below G3.
    """
    rises = _rises(kept, key, age, beeps)
    return not rises or float(np.mean(rises)) >= _RISE_DB or bool(rises[0] >= _LOWEST_RISE_DB)


def is_struck_after_loss(kept: KeptTones, key: int, age: int, beeps: Iterable[Tone]) -> bool:
    """Return whether `key` was surely struck at its onset `age` frames ago, although sound was lost just before.

    It has the same arguments as `is_struck`. The answer is no for a key below G3, and if no partial counts.
    """
    rises = _rises(kept, key, age, beeps)
    return bool(rises) and float(np.mean(rises)) >= _LOSS_RISE_DB


def _rises(kept: KeptTones, key: int, age: int, beeps: Iterable[Tone]) -> list[float]:
    """Return by how many dB each partial of `key` that counts is louder now than before its onset `age` frames ago.

    The list is empty for a key below G3, and if all partials lie near those of `beeps`.
    """
    if key < _LOWEST:
        return []
    tones, age = list(beeps), age + _BEFORE
    free = [n for n in range(1, _PARTIALS + 1) if all(_is_free(n * hz_of(key), tone) for tone in tones)]
    tracks = [track for track in (kept.track(key, age, n, window=1) for n in free) if len(track) > 1]
    if not tracks:
        return []
    floor = kept.track(key, age, window=1).max() - _FLOOR_DB
    return [float(max(track[-1], floor) - max(track[0], floor)) for track in tracks]


def _is_free(hz: float, beep: Tone) -> bool:
    """Return whether no partial of `beep` lies near `hz`. A square wave has all odd partials, a sine only the first."""
    nearest = max(1, 2 * round((hz / beep.hz - 1) / 2) + 1) if beep.clicks else 1
    return abs(hz - nearest * beep.hz) > _FREE_HZ
