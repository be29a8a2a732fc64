"""Judges from the kept sound whether a tone has ended: at once, as a beep does, or by fading fast, as a click does.

A beep keeps its level and then falls by 20 dB within 25 ms. A click fades by as much within 50 ms, and has no partials.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from device.events import LOWEST_KEY
from device.hearing.kept_tones import STRIDE_S, WINDOWS_S, KeptTones
from device.hearing.tone_levels import FLAT_STRIDES, STEEP_STRIDES, drops, falls, hz_of, plateau

_END_DB, END_S = 20.0, 0.005
"""A beep falls by _END_DB within the window and END_S seconds. 995 of 1000 notes of MAPS ENSTDkCl never do."""
_STAY_DB, STAY_S = 17.0, 0.02
"""A beep then stays down by _STAY_DB for STAY_S seconds. Two strings a few hertz apart fall and rise again."""
_KNOWN_END_DB, _KNOWN_STAY_DB, KNOWN_STRIDES = 12.0, 10.0, 3
"""Least fall of the level in dB at which a beep ends, and least fall that stays, near the length of earlier beeps.

They hold near the length of a sure beep on the key, within so many strides (the third value). They are smaller
than elsewhere, because a piano key that has this tone as a partial may still ring below the beep.
"""
FALL_STRIDES = tuple(round((seconds + END_S) / STRIDE_S) for seconds in WINDOWS_S)
"""Number of strides within which a beep falls, for each window in WINDOWS_S."""
STAY_STRIDES = round(STAY_S / STRIDE_S)
"""Number of strides for which a beep then stays down."""
_FADE_DB, _FADE_S = 20.0, 0.05
"""A tone without partials is the click of a program or a wood block if it fades by _FADE_DB within _FADE_S seconds.

The fall begins at its highest level, directly after its onset, and it stays down. No string decays so fast, and no key
is released so soon.
"""
_PLATEAU_DB = 6.0
"""dB below its highest level that a beep may be just before its end."""
_LATELY_S = 0.06
"""A tone that was softer than that for so many seconds is no beep that ends now: a beep would have been recognised."""
_PURE_DB = 24.0
"""A tone is no string below C6 if its second and third partials are both this many dB softer than the tone."""
_PURE_DB_PER_OCTAVE, _PURE_FROM = 12.0, 81 - LOWEST_KEY
"""The limit _PURE_DB rises by this many dB an octave from A5 on, because the partials of high strings are soft."""
_SQUARE_DB = {3: 14.0, 5: 19.0}
"""Number of a partial -> most dB by which it may be softer than the fundamental in a square wave.

In an exact square wave they are 9.5 and 14 dB softer.
"""
_SHARED = 0.42
"""The fifth partial counts below this share of the sample rate. The filter of the resampler weakens it above."""
_SQUARE_CENTS = (-40, -20, 0, 20, 40)
"""Distances from the key, in cents, at which partials of a square wave are looked for. A beep is tuned to no key."""
_RISE_DB, _OTHERS_DB = 12.0, 3.0
"""If a tone rises by _RISE_DB at its onset, a partial that rises by less than _OTHERS_DB belongs to another note."""
_PURE_BESIDE_DB = 12.0
"""The limit _PURE_DB is lower by this while a metronome is heard, because its next beep may come with a stroke."""


class BeepEnds:
    """Judges whether the tones of keys have ended in the sound that `kept` holds, and how.

    Keys count from 0 for A0. `age` is the number of frames since a note began. `beeping` says whether a metronome is
    heard: the partials of a beep may then be louder, because they may belong to a stroke.
    """

    def __init__(self, kept: KeptTones) -> None:
        self._kept = kept

    def of_beep(self, key: int, age: int, window: int, known: int | None, beeping: bool) -> int | None:
        """Return the index in the levels of `key` at which a beep ends, or None if no beep ends there.

        `window` is the index in WINDOWS_S of the window in which the levels are measured. `known` is the index at which
        earlier beeps on the key ended, or None.
        """
        track, fall = self._kept.track(key, age, window=window), FALL_STRIDES[window]
        end = self._ended(track, fall, known)
        if end is None and known is None and window == 0:
            end = self._ended_flat(key, age, beeping)
        return end

    def fades(self, key: int, age: int, beeping: bool) -> bool:
        """Return whether the note on `key` was a tone without partials that faded, as a click does."""
        track, strides = self._kept.track(key, age), round(_FADE_S / STRIDE_S)
        peak = int(track.argmax())
        rest = track[peak + strides :]
        faded = peak <= strides and len(rest) > 0 and rest.max() <= track[peak] - _FADE_DB
        return bool(faded) and self.is_pure(key, age, beeping)

    def clicks(self, key: int, age: int) -> bool:
        """Return whether a beep on `key` is a square wave, which ends with a click."""
        fundamental = self._kept.track(key, age).max()
        return all(
            max(self._kept.track(key, age, odd, cents=cents).max() for cents in _SQUARE_CENTS) >= fundamental - softer
            for odd, softer in _SQUARE_DB.items()
            if odd == 3 or odd * hz_of(key) < _SHARED * self._kept.rate
        )

    def is_pure(self, key: int, age: int, beeping: bool) -> bool:
        """Return whether the partials are much softer than those of a string: the second, and the third or a square's.

        A square wave has no even partials. The end of a beep is a click, so the partials are measured before it. A
        partial that was as loud before the onset belongs to another note.
        """
        track = self._kept.track(key, age)
        softer = _PURE_DB - _PURE_BESIDE_DB * beeping
        softer += _PURE_DB_PER_OCTAVE * max(0, key - _PURE_FROM) / 12
        begin, end = plateau(track)
        if end < len(track):
            end = max(begin + 1, end - STEEP_STRIDES)
        rises = track.max() - track[0] >= _RISE_DB

        def below(partial: int) -> float:
            levels = self._kept.track(key, age, partial)
            if len(levels) < len(track):
                return math.inf
            level = levels[begin:end].max()
            return math.inf if rises and level - levels[0] < _OTHERS_DB else track.max() - level

        return below(2) >= softer and (below(3) >= softer or self.clicks(key, age))

    def _ended(self, track: NDArray[np.float64], fall: int, known: int | None) -> int | None:
        """Return the index in the levels `track` at which a beep ends, or None if no beep ends there.

        `known` is the index at which earlier beeps on the key ended, or None. A beep has a nearly constant level. Then
        the level falls within `fall` strides and does not rise again. A stride is the time between two levels.
        """
        if len(track) <= fall + STAY_STRIDES:
            return None
        highest = np.maximum.accumulate(track[::-1])[::-1]  # from each place to the end
        before, after, later = track[:-fall], track[fall:], highest[fall:]
        level = np.maximum.accumulate(track)[:-fall]
        least, stays = np.full(len(before), _END_DB), np.full(len(before), _STAY_DB)
        if known is not None:
            there = slice(max(0, known - KNOWN_STRIDES), known + KNOWN_STRIDES + 1)
            least[there], stays[there] = _KNOWN_END_DB, _KNOWN_STAY_DB
        ended = (before >= level - _PLATEAU_DB) & (before - after >= least) & (before - later >= stays)
        places = np.flatnonzero((ended & (level > track.max() - 1))[:-STAY_STRIDES])
        return int(places[0]) if len(places) else None

    def _ended_flat(self, key: int, age: int, beeping: bool) -> int | None:
        """Return the index in the levels of `key` at which a pure tone ends that has kept its level, or None.

        It may fall by less than other beeps, because a string that rings on the same key may be heard below it.
        """
        track, fall = self._kept.track(key, age), FALL_STRIDES[0]
        begin, end = plateau(track)
        if end - begin < FLAT_STRIDES or len(track) - end < fall or not self.is_pure(key, age, beeping):
            return None
        return self._ended(track, fall, end - 1)


def may_end_now(track: NDArray[np.float64]) -> bool:
    """Return whether a tone with the levels `track` may be a beep that ends now: it was loud lately, and falls."""
    lately = track[-round(_LATELY_S / STRIDE_S) :]
    return bool(lately.max() >= track.max() - _PLATEAU_DB) and (falls(track) or drops(track))
