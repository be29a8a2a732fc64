"""Distinguishes a metronome's beep from a note of a piano.

A beep begins at once, keeps its level, and ends at once within 0.2 s. The string of a piano decays, and a damper needs
longer to stop it. So a beep is recognised by its end: after a level that hardly falls, it falls by 20 dB within 25 ms.
If a note has ended like this when the net reports it, it is a beep. In three cases a note is held back for some frames,
because such an end may still come: for a tone without partials, for a tone that already falls, and for a key on which a
beep was heard a short time ago. A tone without partials is heard as soon as it decays as a string does. After many
notes without a beep, only the third case is left, because no metronome is running.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from device.events import LOWEST_KEY
from device.hearing.beep_trains import BeepTrains, Tone
from device.hearing.features import Samples
from device.hearing.kept_tones import STRIDE_S, WINDOWS_S, KeptTones
from device.hearing.strokes import is_struck, is_struck_after_loss
from device.hearing.tone_levels import (
    FLAT_STRIDES,
    STEEP_STRIDES,
    decays,
    drops,
    falls,
    hz_of,
    is_steady,
    mean_turns,
    plateau,
)

LOWEST_BEEP = 60 - LOWEST_KEY
"""Number of the lowest key that can be a beep, C4. Below, keys lie too close together for so short a window."""
WATCHED_FRAMES = 14
"""Number of frames from the onset in which a beep ends: 0.22 s."""
SHORT_S = 0.06
"""One beep of at most this many seconds makes the next notes of its key wait.

A longer one does so if it is a pure tone, or if it comes twice.
"""
FALLING_WAITS, PURE_WAITS = 2, 6
"""Number of frames for which a tone that already falls is held back, and the same for a tone without partials.

A tone without partials that keeps its level, or that drops when its wait is over, waits until it decays, or until the
longest beep would have ended.
"""
TRUSTED_NOTES = 24
"""After so many notes in a row that were no beeps, a note waits no longer only because it has no partials or falls.

So a piano without a metronome is late only at its beginning. If a metronome starts later, its first beep becomes a
note. Its end is seen, and the next ones are recognised.
"""
LEARNED_S = 60.0
"""After a beep on a key, later notes of that key are suspected for this many seconds."""

_END_DB, _END_S = 20.0, 0.005
"""A beep falls by _END_DB within the window and _END_S seconds. 995 of 1000 notes of MAPS ENSTDkCl never do."""
_STAY_DB, _STAY_S = 17.0, 0.02
"""A beep then stays down by _STAY_DB for _STAY_S seconds. Two strings a few hertz apart fall and rise again."""
_KNOWN_END_DB, _KNOWN_STAY_DB, _KNOWN_STRIDES = 12.0, 10.0, 3
"""Least fall of the level in dB at which a beep ends, and least fall that stays, near the length of earlier beeps.

They hold near the length of a sure beep on the key, within so many strides (the third value). They are smaller
than elsewhere, because a piano key that has this tone as a partial may still ring below the beep.
"""
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
_ALIKE = 2
"""Largest difference in length between two beeps of one metronome, in strides: 10 ms."""
_SQUARE_CENTS = (-40, -20, 0, 20, 40)
"""Distances from the key, in cents, at which partials of a square wave are looked for. A beep is tuned to no key."""
_RISE_DB, _OTHERS_DB = 12.0, 3.0
"""If a tone rises by _RISE_DB at its onset, a partial that rises by less than _OTHERS_DB belongs to another note."""
_PURE_BESIDE_DB = 12.0
"""The limit _PURE_DB is lower by this while a metronome is heard, because its next beep may come with a stroke."""
_LEAST_STEP, _RINGS, _LOUDER = 0.7, 0.7, 2.0
"""Three ratios of amplitudes for a beep that is predicted, see `Beeps._steps_down`.

The tone becomes smaller by at least _LEAST_STEP of the earlier beeps and at most its inverse. The key was struck too if
its tone is then more than _RINGS of the beep, and _LOUDER times as strong as before the beep.
"""
_TOGETHER_S = 0.045
"""A beep is taken for a note that begins within so many seconds of it, about three frames of the net."""
_AFTER_S, _BEFORE_S = 0.02, 0.02
"""Seconds after and before the predicted end of a beep in which the net hears its click as strokes."""
_PLATEAU_SHARE = 0.5
"""A beep begins where its tone is within this share of its greatest amplitude."""


class Beeps:
    """Recognises beeps.

    It keeps the last sound, in hops of `hop` samples at `rate` Hz, and the keys with recent beeps.
    """

    def __init__(self, rate: int, hop: int) -> None:
        self._rate, self._hop = rate, hop
        self._kept = KeptTones(rate, hop, WATCHED_FRAMES + 3)
        self._stride, self._stay = self._kept.stride, round(_STAY_S / STRIDE_S)
        self._learned_frames = round(LEARNED_S * rate / hop)
        self._trains = BeepTrains(rate)
        self.reset()

    def reset(self) -> None:
        """Forget all sound and all beeps."""
        self._kept.reset()
        self._trains.reset()
        self._frame = 0
        self._watched: list[tuple[int, int]] = []
        self._strings = 0
        """Number of notes since the last beep whose end was looked for and not found."""
        self._ends: dict[int, tuple[int, int, bool]] = {}
        """Frame and length, in strides, of the last beep on each key, and whether it is sure.

        It is sure if it was a pure tone, or if the beep before it was as long.
        """
        self._latest: int | None = None
        """The frame of the last beep on any key."""
        self._found: dict[int, int] = {}
        """Frame in which the last beep on each key began. It stays a beep, and its length is learned only once."""

    def step(self, hop: Samples) -> None:
        """Add the samples of a hop, [hop], from -1 to 1.

        Look again for beeps among the notes that passed 14 frames ago.
        """
        self._kept.step(hop)
        self._frame += 1
        while self._watched and self._frame - self._watched[0][1] >= WATCHED_FRAMES:
            # a beep that passed, because it sounded together with a stroke, is known the next time
            key, began = self._watched.pop(0)
            if not self.is_beep(key, self._frame - began):
                self._strings += 1

    def waits(self, key: int, age: int) -> int | None:
        """Return for how many frames a note must be held back, 0 for none. Return None if it is a beep.

        `key` counts from 0 for A0. The note began `age` frames ago.
        """
        if key < LOWEST_BEEP:
            return 0
        if self.is_beep(key, age):
            return None
        if learned := self._learned_waits(key, age) or self._predicted_waits(key, age):
            return learned
        if self._strings >= TRUSTED_NOTES:
            return 0
        track = self._kept.track(key, age)
        waits = FALLING_WAITS if falls(track) else 0
        if decays(track, key) or not self._pure(key, age, track):
            return waits
        return max(PURE_WAITS, WATCHED_FRAMES - age)

    def is_beep(self, key: int, age: int) -> bool:
        """Return whether the note on `key` that began `age` frames ago has ended as a beep does.

        A beep is remembered, so that the next one on this key is recognised sooner.
        """
        if self._found.get(key) == self._frame - age:
            return True
        windows = WINDOWS_S if self._learned_waits(key, 0) else WINDOWS_S[:1]
        for window, seconds in enumerate(windows):
            fall = round((seconds + _END_S) / STRIDE_S)
            track, known = self._kept.track(key, age, window=window), self._known_end(key)
            end = self._ended(track, fall, known)
            if end is None and known is None and window == 0:
                end = self._ended_flat(key, age, track, fall)
            if end is not None:
                self._strings = 0
                self._found[key] = self._frame - age
                self._learn(key, end, self._pure(key, age, self._kept.track(key, age)))
                if window == 0 and end:
                    self._remember(key, age, end, fall)
                return True
        if self._fades(key, age):
            self._strings = 0
            self._found[key] = self._frame - age
            return True
        if stepped := self._steps_down(key, age):
            self._found[key] = self._frame - age
        return stepped

    def ends(self, age: int) -> bool:
        """Return whether a beep was predicted to end about `age` frames ago. The net hears the end as strokes."""
        at = (self._frame - age) * self._hop
        since, until = at - round(_AFTER_S * self._rate), at + round(_BEFORE_S * self._rate)
        return any(self._trains.expected(key, since, until) is not None for key in self._trains.keys)

    def _remember(self, key: int, age: int, end: int, fall: int) -> None:
        """Add the beep on `key`, which ended at the index `end` of its levels, to the trains of beeps."""
        tone = self._kept.tone(hz_of(key), age)
        hz = hz_of(key) + mean_turns(tone[max(0, end - STEEP_STRIDES) : end + 1]) / STRIDE_S
        tone = self._kept.tone(hz, age)
        step = abs(tone[end] - tone[end + fall])
        at = self._frame * self._hop - (len(tone) - 1 - end) * self._stride
        length = (end - plateau(np.abs(tone), _PLATEAU_SHARE * np.abs(tone).max())[0]) * self._stride
        self._trains.add(key, at, Tone(hz, float(step), float(length), self.clicks(key, age)))

    def _steps_down(self, key: int, age: int) -> bool:
        """Return whether the tone of `key` becomes smaller at the predicted end of a beep, by as much as the beeps do.

        The note on `key` began `age` frames ago. If the key rings on louder than before and about as loud as the beep,
        it was struck too, so the answer is no.
        """
        now, fall = self._frame * self._hop, round((WINDOWS_S[0] + _END_S) / STRIDE_S)
        began = now - age * self._hop
        expected = self._trains.expected(key, began, now - (fall + self._stay) * self._stride)
        if expected is None:
            return False
        at, beep = expected
        if abs(at - beep.length - began) > _TOGETHER_S * self._rate:
            return False
        tone = self._kept.tone(beep.hz, age)
        place = len(tone) - 1 - round((now - at) / self._stride)
        places = [p for p in range(place - _KNOWN_STRIDES, place + _KNOWN_STRIDES + 1) if 0 <= p < len(tone) - fall]
        if not places:
            return False
        steps = [abs(tone[p] - tone[p + fall]) for p in places]
        end = places[int(np.argmax(steps))]
        rests = abs(tone[min(end + fall + 1, len(tone) - 1)])
        struck = rests > _RINGS * beep.step and rests > _LOUDER * abs(tone[0])
        return bool(not struck and _LEAST_STEP <= max(steps) / beep.step <= 1 / _LEAST_STEP)

    @property
    def beeping(self) -> bool:
        """Whether two beeps of the same length were heard on one key a short time ago."""
        return self._recent(self._latest)

    def clicks(self, key: int, age: int) -> bool:
        """Return whether a beep on `key`, which began `age` frames ago, is a square wave, which ends with a click."""
        fundamental = self._kept.track(key, age).max()
        return all(
            max(self._kept.track(key, age, odd, cents=cents).max() for cents in _SQUARE_CENTS) >= fundamental - softer
            for odd, softer in _SQUARE_DB.items()
            if odd == 3 or odd * hz_of(key) < _SHARED * self._rate
        )

    def decays(self, key: int, age: int, waited: int) -> bool:
        """Return whether the note on `key` that began `age` frames ago decays as a string does.

        It then need not wait any longer. It has been held back for `waited` frames. The answer is no if a beep was
        heard on `key` a short time ago.
        """
        if self._learned_waits(key, 0):
            return False
        track = self._kept.track(key, age)
        lately = track[-round(_LATELY_S / STRIDE_S) :]
        may_end = lately.max() >= track.max() - _PLATEAU_DB and (falls(track) or drops(track))
        return decays(track, key) or (waited >= PURE_WAITS and not (is_steady(track) or may_end))

    def rises(self, key: int, age: int) -> bool:
        """Return whether the tone of `key` is louder now than `age` frames ago. Keys below `LOWEST_BEEP` always are."""
        track = self._kept.track(key, age)
        return key < LOWEST_BEEP or bool(track[-1] >= track[0])

    def is_struck(self, key: int, age: int) -> bool:
        """Return whether `key` was struck about `age` frames ago, see `device.hearing.strokes`."""
        return is_struck(self._kept, key, age, self._trains.tones())

    def is_struck_after_loss(self, key: int, age: int) -> bool:
        """Return whether `key` was surely struck about `age` frames ago, although sound was lost just before."""
        return is_struck_after_loss(self._kept, key, age, self._trains.tones())

    def passed(self, key: int, age: int) -> None:
        """Remember a note on `key` that passed as a note of the piano and began `age` frames ago.

        Its end is checked later. If it was a beep, the next beep on this key is recognised.
        """
        if key >= LOWEST_BEEP:
            self._watched.append((key, self._frame - age))

    def _fades(self, key: int, age: int) -> bool:
        """Return whether the note on `key`, which began `age` frames ago, was a tone without partials that faded."""
        track, strides = self._kept.track(key, age), round(_FADE_S / STRIDE_S)
        peak = int(track.argmax())
        rest = track[peak + strides :]
        faded = peak <= strides and len(rest) > 0 and rest.max() <= track[peak] - _FADE_DB
        return bool(faded) and self._pure(key, age, track)

    def _learn(self, key: int, end: int, pure: bool) -> None:
        frame, before, _ = self._ends.get(key, (None, 0, False))
        if not end:
            return  # the last part of a beep that was taken for one of its own
        twice = self._recent(frame) and abs(end - before) <= _ALIKE
        self._ends[key] = self._frame, end, twice or pure
        if twice:
            self._latest = self._frame

    def _learned_waits(self, key: int, age: int) -> int:
        """Return for how many frames a note on `key`, which began `age` frames ago, waits for the end of a beep.

        It is 0 if no beep was heard on `key` a short time ago.
        """
        frame, length, sure = self._ends.get(key, (None, 0, False))
        if not self._recent(frame) or not (sure or length * STRIDE_S <= SHORT_S):
            return 0
        seconds = length * STRIDE_S + WINDOWS_S[-1] + _END_S + _STAY_S
        return max(0, min(WATCHED_FRAMES, math.ceil(seconds * self._rate / self._hop) + 1) - age)

    def _predicted_waits(self, key: int, age: int) -> int:
        """Return for how many frames a note on `key`, which began `age` frames ago with a predicted beep, waits.

        It waits for the end of the beep. It is 0 if no beep was predicted to begin then.
        """
        began = (self._frame - age) * self._hop
        expected = self._trains.expected(key, began, began + WATCHED_FRAMES * self._hop)
        if expected is None or abs(expected[0] - expected[1].length - began) > _TOGETHER_S * self._rate:
            return 0
        seconds = (expected[0] - began) / self._rate + WINDOWS_S[0] + _END_S + _STAY_S
        return max(0, min(WATCHED_FRAMES, math.ceil(seconds * self._rate / self._hop) + 1) - age)

    def _known_end(self, key: int) -> int | None:
        """Return the length of the beeps on `key`, in strides. Return None if no sure one was heard lately."""
        frame, length, sure = self._ends.get(key, (None, 0, False))
        return length if sure and self._recent(frame) else None

    def _recent(self, frame: int | None) -> bool:
        return frame is not None and self._frame - frame < self._learned_frames

    def _ended(self, track: NDArray[np.float64], fall: int, known: int | None) -> int | None:
        """Return the index in the levels `track` at which a beep ends, or None if no beep ends there.

        `known` is the index at which earlier beeps on the key ended, or None. A beep has a nearly constant level. Then
        the level falls within `fall` strides and does not rise again. A stride is the time between two levels.
        """
        if len(track) <= fall + self._stay:
            return None
        highest = np.maximum.accumulate(track[::-1])[::-1]  # from each place to the end
        before, after, later = track[:-fall], track[fall:], highest[fall:]
        level = np.maximum.accumulate(track)[:-fall]
        least, stays = np.full(len(before), _END_DB), np.full(len(before), _STAY_DB)
        if known is not None:
            there = slice(max(0, known - _KNOWN_STRIDES), known + _KNOWN_STRIDES + 1)
            least[there], stays[there] = _KNOWN_END_DB, _KNOWN_STAY_DB
        ended = (before >= level - _PLATEAU_DB) & (before - after >= least) & (before - later >= stays)
        places = np.flatnonzero((ended & (level > track.max() - 1))[: -self._stay])
        return int(places[0]) if len(places) else None

    def _ended_flat(self, key: int, age: int, track: NDArray[np.float64], fall: int) -> int | None:
        """Return the index in `track` at which a pure tone ends that has kept its level, or None.

        It may fall by less than other beeps, because a string that rings on the same key may be heard below it.
        """
        begin, end = plateau(track)
        if end - begin < FLAT_STRIDES or len(track) - end < fall or not self._pure(key, age, track):
            return None
        return self._ended(track, fall, end - 1)

    def _pure(self, key: int, age: int, track: NDArray[np.float64]) -> bool:
        """Return whether the partials are much softer than those of a string: the second, and the third or a square's.

        A square wave has no even partials. The end of a beep is a click, so the partials are measured before it. A
        partial that was as loud before the onset belongs to another note.
        """
        softer = _PURE_DB - _PURE_BESIDE_DB * self.beeping
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
