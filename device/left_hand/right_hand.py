"""Places the right hand's notes on the grid, and describes the last bars by a few numbers.

A figure for the left hand is chosen by these numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.events import Note, NoteEnded

CONTEXT_NAMES = ("strikes a beat", "keys a strike", "sounding", "off the beat", "odd steps", "height", "length", "leap")
CONTEXT_SIZE = len(CONTEXT_NAMES)
FEWEST_NOTES = 3
"""Notes. Fewer notes do not describe a right hand."""
OPENING = 8
"""Number of keys that count as the opening of a piece."""
MEMORY_BARS = 8
"""Bars over which the right hand is described. An excerpt of the bank has as many."""
SEEN_STEPS = 24 * MEMORY_BARS
"""Grid steps that are remembered: eight bars of the longest usual bar."""
MOST_NOTES = 512
"""Notes that are remembered: more than two hands play in eight bars."""
RECENT_STEPS = 64
"""Grid steps. The chord net uses only notes that began within this time, as in its training."""
ROUNDING_S = 1e-6
"""Seconds. Times are sums of floats, so a note this much later still counts."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def context_of(first: Ints, end: Ints, pitch: Ints, bars: float, size: int, beat: int) -> Floats:
    """Return the numbers of `CONTEXT_NAMES` that describe a right hand, float64 [CONTEXT_SIZE].

    `first` and `end` are the grid steps of the notes, counted from the beginning of a bar, and `pitch` their MIDI
    numbers. `bars` is the number of bars that the notes cover, `size` the steps in a bar and `beat` the steps in a felt
    beat. Returns zeros if there is no note.
    """
    if not len(first):
        return np.zeros(CONTEXT_SIZE)
    strikes = np.unique(first)
    total = max(int(bars * size), 1)
    # at each step the number of notes that have begun, less the number of those that have ended
    begun = np.bincount(np.clip(first, 0, total), minlength=total + 1)
    ended = np.bincount(np.clip(end, 0, total), minlength=total + 1)
    sounds = np.cumsum(begun - ended)[:total] > 0
    order = np.lexsort((pitch, first))
    highest = pitch[order][np.append(np.flatnonzero(np.diff(first[order])), len(first) - 1)]
    return np.array(
        [
            np.log2(len(strikes) / (total / beat) + 0.05),
            len(first) / len(strikes),
            sounds.mean(),
            (strikes % beat != 0).mean(),
            (strikes % 2 != 0).mean(),
            pitch.mean() / 12.0,
            np.log2(np.mean(end - first)),
            np.abs(np.diff(highest)).mean() if len(highest) > 1 else 2.0,
        ]
    )


@dataclass(slots=True)
class _Placed:
    """Holds a note on the grid. `end` is None while the key is down."""

    onset_s: float
    first: int
    end: int | None
    pitch: int


class RightHand:
    """Places the player's notes on the grid. It uses only notes that were decided in time."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all notes, those that wait too, and all steps."""
        self._waiting: list[tuple[float, Note | NoteEnded]] = []
        self._times: deque[float] = deque(maxlen=SEEN_STEPS)
        self._indices: deque[int] = deque(maxlen=SEEN_STEPS)
        self._notes: deque[_Placed] = deque(maxlen=MOST_NOTES)
        self._bar = 0
        self.opening: list[int] = []
        """MIDI pitches of the first keys struck, at most `OPENING`."""

    def hear(self, note: Note) -> None:
        """Store a decided note until `at` puts it on the grid. A note of the left hand is ignored."""
        if note.hand != "right":
            return
        self._waiting.append((note.decided_s, note))
        if note.offset_s is not None:
            self.end(NoteEnded(note.pitch, note.onset_s, note.offset_s, max(note.offset_s, note.decided_s)))

    def end(self, ended: NoteEnded) -> None:
        """Store the end of a note until `at` puts it on the grid."""
        self._waiting.append((ended.decided_s, ended))

    def at(self, step: Step, until_s: float) -> None:
        """Add the next step of the grid, and place on the grid what was decided by `until_s` (stream seconds).

        Call it once for each step, in order.
        """
        self._times.append(step.time_s)
        self._indices.append(step.index)
        if step.is_bar:
            self._bar = step.index
        if not self._waiting:
            return
        limit_s = until_s + ROUNDING_S
        ready = sorted((w for w in self._waiting if w[0] <= limit_s), key=lambda w: w[0])
        if not ready:
            return
        self._waiting = [w for w in self._waiting if w[0] > limit_s]
        for _, event in ready:
            if isinstance(event, NoteEnded):
                self._end(event)
                continue
            if len(self.opening) < OPENING:
                self.opening.append(event.pitch)
            self._notes.append(_Placed(event.onset_s, self._nearest(event.onset_s), None, event.pitch))

    def _end(self, ended: NoteEnded) -> None:
        for note in reversed(self._notes):
            if note.pitch == ended.pitch and note.end is None and note.onset_s <= ended.onset_s + ROUNDING_S:
                note.end = max(self._nearest(ended.offset_s), note.first + 1)
                return

    def _nearest(self, time_s: float) -> int:
        """Return the index of the grid step nearest to a time, among the steps seen."""
        times, indices = self._times, self._indices
        after = bisect_right(times, time_s)
        if after == 0:
            return indices[0]
        if after == len(times):
            return indices[-1]
        before_s, after_s = times[after - 1], times[after]
        share = (time_s - before_s) / (after_s - before_s)
        return round(indices[after - 1] + share * (indices[after] - indices[after - 1]))

    def notes(self, step: Step, since: int) -> tuple[Ints, Ints, Ints]:
        """Return three arrays: first step, end step and MIDI pitch of the notes that began at step `since` or later.

        A key that is still down ends at `step`, but not before the step after its first.
        """
        kept = [note for note in self._notes if note.first >= since]
        first = np.array([note.first for note in kept], np.int64)
        ends = [max(step.index, note.first + 1) if note.end is None else note.end for note in kept]
        return first, np.array(ends, np.int64), np.array([note.pitch for note in kept], np.int64)

    def sounding(self, step: Step, since: int) -> tuple[Ints, Ints, Ints]:
        """Return three arrays: first step, end step and MIDI pitch of the notes that sound from step `since` to `step`.

        A key that is still down ends as in `notes`. Notes that began more than `RECENT_STEPS` before are left out.
        """
        oldest = step.index - RECENT_STEPS
        rows: list[tuple[int, int, int]] = []
        for note in reversed(self._notes):
            if note.first < oldest:
                break
            end = max(step.index, note.first + 1) if note.end is None else note.end
            if end > since:
                rows.append((note.first, end, note.pitch))
        columns = np.array(rows[::-1], np.int64).reshape(-1, 3)
        return columns[:, 0], columns[:, 1], columns[:, 2]

    def context(self, step: Step) -> Floats | None:
        """Return the numbers [CONTEXT_SIZE] that describe the right hand in the last eight bars up to `step`.

        Returns None if there are fewer than `FEWEST_NOTES` notes.
        """
        if len(self._times) < 2 or not self._notes:
            return None
        size, beat = step.meter.steps_per_bar, step.meter.steps_per_beat
        first, end, pitch = self.notes(step, self._indices[0] + 1)
        if len(first) < FEWEST_NOTES:
            return None
        since = int(first.min()) - (int(first.min()) - self._bar) % size
        since = max(since, self._bar - MEMORY_BARS * size)
        kept = first >= since
        bars = max((step.index - since) / size, 0.5)
        return context_of(first[kept] - since, end[kept] - since, pitch[kept], bars, size, beat)
