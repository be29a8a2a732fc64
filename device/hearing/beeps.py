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

from device.events import LOWEST_KEY
from device.hearing.beep_ends import END_S, FALL_STRIDES, KNOWN_STRIDES, STAY_S, STAY_STRIDES, BeepEnds, may_end_now
from device.hearing.beep_trains import BeepTrains, Tone
from device.hearing.features import Samples
from device.hearing.kept_tones import STRIDE_S, WINDOWS_S, KeptTones
from device.hearing.strokes import is_struck, is_struck_after_loss
from device.hearing.tone_levels import STEEP_STRIDES, decays, falls, hz_of, is_steady, mean_turns, plateau

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

_ALIKE = 2
"""Largest difference in length between two beeps of one metronome, in strides: 10 ms."""
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

    It keeps the last sound, in hops of `hop` samples at `rate` Hz, and the keys with recent beeps. `BeepEnds` judges
    how a tone ended.
    """

    def __init__(self, rate: int, hop: int) -> None:
        self._rate, self._hop = rate, hop
        self._kept = KeptTones(rate, hop, WATCHED_FRAMES + 3)
        self._judge = BeepEnds(self._kept)
        self._stride = self._kept.stride
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
        if decays(track, key) or not self._judge.is_pure(key, age, self.beeping):
            return waits
        return max(PURE_WAITS, WATCHED_FRAMES - age)

    def is_beep(self, key: int, age: int) -> bool:
        """Return whether the note on `key` that began `age` frames ago has ended as a beep does.

        A beep is remembered, so that the next one on this key is recognised sooner.
        """
        if self._found.get(key) == self._frame - age:
            return True
        windows = range(len(WINDOWS_S)) if self._learned_waits(key, 0) else (0,)
        for window in windows:
            end = self._judge.of_beep(key, age, window, self._known_end(key), self.beeping)
            if end is not None:
                self._strings = 0
                self._found[key] = self._frame - age
                self._learn(key, end, self._judge.is_pure(key, age, self.beeping))
                if window == 0 and end:
                    self._remember(key, age, end)
                return True
        if self._judge.fades(key, age, self.beeping):
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

    def _remember(self, key: int, age: int, end: int) -> None:
        """Add the beep on `key`, which ended at the index `end` of its levels, to the trains of beeps."""
        tone = self._kept.tone(hz_of(key), age)
        hz = hz_of(key) + mean_turns(tone[max(0, end - STEEP_STRIDES) : end + 1]) / STRIDE_S
        tone = self._kept.tone(hz, age)
        step = abs(tone[end] - tone[end + FALL_STRIDES[0]])
        at = self._frame * self._hop - (len(tone) - 1 - end) * self._stride
        length = (end - plateau(np.abs(tone), _PLATEAU_SHARE * np.abs(tone).max())[0]) * self._stride
        self._trains.add(key, at, Tone(hz, float(step), float(length), self._judge.clicks(key, age)))

    def _steps_down(self, key: int, age: int) -> bool:
        """Return whether the tone of `key` becomes smaller at the predicted end of a beep, by as much as the beeps do.

        The note on `key` began `age` frames ago. If the key rings on louder than before and about as loud as the beep,
        it was struck too, so the answer is no.
        """
        now, fall = self._frame * self._hop, FALL_STRIDES[0]
        began = now - age * self._hop
        expected = self._trains.expected(key, began, now - (fall + STAY_STRIDES) * self._stride)
        if expected is None:
            return False
        at, beep = expected
        if abs(at - beep.length - began) > _TOGETHER_S * self._rate:
            return False
        tone = self._kept.tone(beep.hz, age)
        place = len(tone) - 1 - round((now - at) / self._stride)
        places = [p for p in range(place - KNOWN_STRIDES, place + KNOWN_STRIDES + 1) if 0 <= p < len(tone) - fall]
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
        return self._judge.clicks(key, age)

    def decays(self, key: int, age: int, waited: int) -> bool:
        """Return whether the note on `key` that began `age` frames ago decays as a string does.

        It then need not wait any longer. It has been held back for `waited` frames. The answer is no if a beep was
        heard on `key` a short time ago.
        """
        if self._learned_waits(key, 0):
            return False
        track = self._kept.track(key, age)
        return decays(track, key) or (waited >= PURE_WAITS and not (is_steady(track) or may_end_now(track)))

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
        seconds = length * STRIDE_S + WINDOWS_S[-1] + END_S + STAY_S
        return max(0, min(WATCHED_FRAMES, math.ceil(seconds * self._rate / self._hop) + 1) - age)

    def _predicted_waits(self, key: int, age: int) -> int:
        """Return for how many frames a note on `key`, which began `age` frames ago with a predicted beep, waits.

        It waits for the end of the beep. It is 0 if no beep was predicted to begin then.
        """
        began = (self._frame - age) * self._hop
        expected = self._trains.expected(key, began, began + WATCHED_FRAMES * self._hop)
        if expected is None or abs(expected[0] - expected[1].length - began) > _TOGETHER_S * self._rate:
            return 0
        seconds = (expected[0] - began) / self._rate + WINDOWS_S[0] + END_S + STAY_S
        return max(0, min(WATCHED_FRAMES, math.ceil(seconds * self._rate / self._hop) + 1) - age)

    def _known_end(self, key: int) -> int | None:
        """Return the length of the beeps on `key`, in strides. Return None if no sure one was heard lately."""
        frame, length, sure = self._ends.get(key, (None, 0, False))
        return length if sure and self._recent(frame) else None

    def _recent(self, frame: int | None) -> bool:
        return frame is not None and self._frame - frame < self._learned_frames
