"""Decides whether the left hand plays: it listens first, ends when the player stops, and starts on a beat."""

from __future__ import annotations

from device.clock.step import Step

LISTEN_BEATS = 4.0
"""Beats heard before the left hand starts. Without them the first chord is nearly always wrong."""
LISTEN_BARS, LONG_LISTEN_BARS, MOST_LISTEN_BARS = 2.0, 2.5, 4.0
"""Bars heard before the left hand starts if no count-in gave the beat. It starts on a bar after the first, on any beat
after the second (a clock that has just moved its bars may have left one out), and after the third even if the clock is
unsure of the beat."""
ALMOST = 0.25
"""Share of a bar that may be missing, because the tempo of the first notes is known only later."""
LEAST_LOCK = 0.25
"""Least trust of the clock in its beat, 0..1, at which the left hand starts before `MOST_LISTEN_BARS` bars."""
STOP_BEATS = 2.0
"""Beats. The left hand ends after the player has made no sound for this long."""
RING_BEATS = 4.0
"""Beats. The last chord is held for this long after the left hand has ended."""
PAUSE_BEATS = 4.0
"""Beats. After a rest this long the left hand listens again before it plays."""
RETURN_BEATS = 0.75
"""Beats for which the left hand listens after such a rest, from the first known note. It enters on the next beat."""
AWAKE_BEATS = 1.0
"""Beats. The left hand starts only if the player was heard within this time."""
HOLD_BEATS = 8.0
"""Beats since the last onset. A key held longer than this no longer counts as playing."""
LONGEST_HOLD_BEATS = 32.0
"""Beats since the last onset. The last chord is held as long as the player holds a key, but no longer than this."""


class Activity:
    """Follows the player step by step. `silent` and `ends` are the decisions for the latest step.

    `ends`: the player has stopped. The left hand strikes its last chord on the next beat and plays no other note.
    `silent`: the left hand plays nothing and holds nothing.
    """

    def __init__(self, listen_beats: float = LISTEN_BEATS, stop_beats: float = STOP_BEATS) -> None:
        self._listen_beats, self._stop_beats = listen_beats, stop_beats
        self.reset()

    def reset(self) -> None:
        """Forget the player. The left hand is silent and listens from the beginning."""
        self.silent = True
        self.ends = False
        self._heard_beats: float | None = None
        self._quiet_beats = 0.0
        self._paused = False
        self._back_beats = 0.0
        self._entered = False

    def at(self, step: Step, sounds: bool, struck: bool, age_steps: float, before_beats: float = 0.0) -> bool:
        """Follow the player to the next step, and return whether the left hand is silent at it.

        `sounds` is true if a right-hand key is known to be down. `struck` is true if an onset became known since
        the step before. `age_steps` is the number of steps since the latest onset. `before_beats` is the number of
        beats since the first onset, which counts if the clock found the beat in the notes alone.
        """
        share = 1.0 / step.meter.steps_per_beat
        if self._heard_beats is None:
            self._heard_beats = (0.0 if step.counted else before_beats) if struck else None
        else:
            self._heard_beats += share
        age_beats = age_steps * share
        playing = struck or (sounds and age_beats <= HOLD_BEATS)
        self._quiet_beats = 0.0 if playing else self._quiet_beats + share
        if self._quiet_beats >= PAUSE_BEATS:
            self._paused, self._back_beats = True, 0.0
        elif self._paused:
            self._paused = self._back_beats < RETURN_BEATS
            self._back_beats += share
        if self._quiet_beats + 2 * share >= self._stop_beats:
            self.ends = not self.silent
            held = sounds and age_beats <= LONGEST_HOLD_BEATS
            if self._quiet_beats >= self._stop_beats + RING_BEATS and not held:
                self.silent, self.ends = True, False
        elif step.is_beat and not self._paused and self._heard_beats is not None:
            self.ends = False
            if self.silent:
                self.silent = not self._ready(step, self._heard_beats) or self._quiet_beats >= AWAKE_BEATS
                self._entered = self._entered or not self.silent
        return self.silent

    def _ready(self, step: Step, heard_beats: float) -> bool:
        """Return whether `heard_beats`, the beats heard so far, are enough for the left hand to start at `step`."""
        if self._entered or step.counted:
            return heard_beats >= self._listen_beats
        bars = heard_beats / step.meter.beats_per_bar + ALMOST
        if step.lock < LEAST_LOCK:
            return bars >= MOST_LISTEN_BARS
        return bars >= (LISTEN_BARS if step.is_bar else LONG_LISTEN_BARS)
