"""How the right hand plays: a few numbers over the last bars, by which a left-hand figure is chosen."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from device.clock.step import Step
from device.events import Note, NoteEnded

CONTEXT_NAMES = ("strikes a beat", "keys a strike", "sounding", "off the beat", "odd steps", "height", "length", "leap")
CONTEXT_SIZE = len(CONTEXT_NAMES)
FEWEST_NOTES = 3
OPENING = 8
"""Keys that count as the opening of a piece."""
MEMORY_BARS = 8
"""Bars over which the right hand is described."""
SEEN_STEPS = 24 * MEMORY_BARS
"""Steps that are remembered: eight bars of the longest usual bar."""

SOUNDING = -1.0
"""The end, in seconds, of a note whose end is not known yet."""
ROUNDING_S = 1e-6

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def context_of(first: Ints, end: Ints, pitch: Ints, bars: float, size: int, beat: int) -> Floats:
    """Describe a right hand's notes, float64 [CONTEXT_SIZE].

    `first` and `end` are steps from the beginning of a bar, `bars` how many bars of `size` steps they cover, `beat` the
    steps of a felt beat. Zeros if there is no note.
    """
    if not len(first):
        return np.zeros(CONTEXT_SIZE)
    strikes = np.unique(first)
    total = max(int(bars * size), 1)
    sounds = np.zeros(total, bool)
    for a, b in zip(first, end, strict=True):
        sounds[max(a, 0) : b] = True
    highest = np.array([pitch[first == s].max() for s in strikes])
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


class RightHand:
    """Places the player's notes on the grid and describes the last bars; it uses only what was decided in time."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._waiting: list[tuple[float, Note | NoteEnded]] = []
        self._steps: deque[tuple[float, int]] = deque(maxlen=SEEN_STEPS)
        self._notes: deque[list[float]] = deque(maxlen=512)
        self._bar = 0
        self.opening: list[int] = []
        """The first keys struck, at most `OPENING`."""

    def hear(self, note: Note) -> None:
        """A note of the right hand was decided."""
        if note.hand != "right":
            return
        self._waiting.append((note.decided_s, note))
        if note.offset_s is not None:
            self.end(NoteEnded(note.pitch, note.onset_s, note.offset_s, max(note.offset_s, note.decided_s)))

    def end(self, ended: NoteEnded) -> None:
        """A note ended."""
        self._waiting.append((ended.decided_s, ended))

    def at(self, step: Step, until_s: float) -> None:
        """Take the next step of the grid, and what was decided by `until_s`."""
        self._steps.append((step.time_s, step.index))
        if step.is_bar:
            self._bar = step.index
        limit_s = until_s + ROUNDING_S
        for _, event in sorted((w for w in self._waiting if w[0] <= limit_s), key=lambda w: w[0]):
            if isinstance(event, NoteEnded):
                self._end(event)
                continue
            if len(self.opening) < OPENING:
                self.opening.append(event.pitch)
            self._notes.append([event.onset_s, SOUNDING, float(event.pitch)])
        self._waiting = [w for w in self._waiting if w[0] > limit_s]

    def _end(self, ended: NoteEnded) -> None:
        for row in reversed(self._notes):
            if row[2] == ended.pitch and row[1] == SOUNDING and row[0] <= ended.onset_s + ROUNDING_S:
                row[1] = ended.offset_s
                return

    def notes(self, step: Step) -> tuple[Ints, Ints, Ints]:
        """First step, end step and pitch of the notes known, in steps of the grid; what still sounds ends at `step`."""
        rows = np.array(self._notes).reshape(-1, 3)
        if not len(rows):
            none = np.zeros(0, np.int64)
            return none, none, none
        times = np.array([time for time, _ in self._steps])
        index = np.array([i for _, i in self._steps])
        ends = np.where(rows[:, 1] == SOUNDING, step.time_s, rows[:, 1])
        first = np.rint(np.interp(rows[:, 0], times, index)).astype(np.int64)
        end = np.maximum(np.rint(np.interp(ends, times, index)).astype(np.int64), first + 1)
        return first, end, rows[:, 2].astype(np.int64)

    def context(self, step: Step) -> Floats | None:
        """The last eight bars up to this bar, [CONTEXT_SIZE]; None before three notes."""
        if len(self._steps) < 2 or not self._notes:
            return None
        first, end, pitch = self.notes(step)
        inside = first > self._steps[0][1]
        first, end, pitch = first[inside], end[inside], pitch[inside]
        if len(first) < FEWEST_NOTES:
            return None
        size, beat = step.meter.steps_per_bar, step.meter.steps_per_beat
        since = int(first.min()) - (int(first.min()) - self._bar) % size
        since = max(since, self._bar - MEMORY_BARS * size)
        kept = first >= since
        bars = max((step.index - since) / size, 0.5)
        return context_of(first[kept] - since, end[kept] - since, pitch[kept], bars, size, beat)
