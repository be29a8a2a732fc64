"""Collects what is known of the right hand when a step is planned, and encodes it as numbers for the net."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from device.clock.meter import LISTED, Meter
from device.clock.step import Step
from device.events import Note, NoteEnded

Array = npt.NDArray[np.float32]

ROUNDING_S = 1e-6
"""Seconds. Step times and note times are sums of floats, so a note this much after the limit still counts."""
NEVER = 1e6
"""Steps. The age that stands for no onset so far."""
AGE_STEPS = np.array([2.0, 8.0, 32.0], np.float32)
"""Steps after which the inputs "age 2", "age 8" and "age 32" have fallen to 1/e."""
MEMORY_STEPS = np.array([8.0, 64.0])
"""Steps after which a heard step has the weight 1/e: two beats show the chord, four bars of 4/4 show the key."""

_DECAYS: list[float] = np.exp(-1.0 / MEMORY_STEPS).tolist()

PITCH_CHANNELS = ("onset", "sounding", "top", "lowest", "last", "recently", "lately")
GLOBAL_NAMES = (
    *("register", "sounds", "struck", "keys", "age 2", "age 8", "age 32"),
    *(f"beat {n}" for n in range(4)),
    *(f"step {n}" for n in range(6)),
    *(f"meter {name}" for name in (*LISTED, "other")),
)
INPUT_SIZE = 12 * len(PITCH_CHANNELS) + len(GLOBAL_NAMES)


class Known(NamedTuple):
    """Holds what was known of the right hand when each of T steps was planned. Each array has T rows.

    Pitches are MIDI numbers, -1 where there is none. `position` is the number of the step in its bar.
    """

    onsets: npt.NDArray[np.uint8]
    """[T, 12] number of notes of each pitch class that became known since the step before."""
    sounding: npt.NDArray[np.uint8]
    """[T, 12] number of keys down of each pitch class."""
    top: npt.NDArray[np.int16]
    """[T] the highest key down."""
    lowest: npt.NDArray[np.int16]
    """[T] the lowest key down."""
    last: npt.NDArray[np.int16]
    """[T] the highest note of the latest onsets."""
    age: npt.NDArray[np.float32]
    """[T] steps from the latest onset to the step that is planned, `NEVER` before the first."""
    position: npt.NDArray[np.int16]
    steps_per_beat: npt.NDArray[np.int16]
    meter: npt.NDArray[np.int8]
    """[T] index into `device.clock.meter.LISTED`, or the length of `LISTED` for any other meter."""
    memory: Array
    """[T, 2, 12] steps for which each pitch class has sounded, with the two decays of `MEMORY_STEPS`."""


def encode(known: Known) -> Array:
    """Return the net's input for T steps, float32 [T, INPUT_SIZE], every value in 0..1.

    The columns are `PITCH_CHANNELS` by 12 pitch classes (channel after channel), then `GLOBAL_NAMES`. Training encodes
    whole pieces with it. The device encodes single steps with `encode_step`, which returns the same numbers.
    """
    steps = len(known.top)
    pitch = np.zeros((steps, len(PITCH_CHANNELS), 12), np.float32)
    pitch[:, 0] = np.minimum(known.onsets, 1)
    pitch[:, 1] = np.minimum(known.sounding, 1)
    for channel, pitches in ((2, known.top), (3, known.lowest), (4, known.last)):
        where = np.flatnonzero(pitches >= 0)
        pitch[where, channel, pitches[where] % 12] = 1.0
    loudest = known.memory.max(axis=2, keepdims=True)
    pitch[:, 5:7] = known.memory / np.maximum(loudest, 1e-6)

    rest = np.zeros((steps, len(GLOBAL_NAMES)), np.float32)
    rest[:, 0] = np.clip((np.maximum(known.top, known.last * (known.top < 0)) - 36) / 60, 0.0, 1.0)
    rest[:, 1] = known.top >= 0
    rest[:, 2] = np.minimum(known.onsets.sum(axis=1), 4) / 4
    rest[:, 3] = np.minimum(known.sounding.sum(axis=1), 4) / 4
    rest[:, 4:7] = np.exp(-np.clip(known.age, 0.0, NEVER)[:, None] / AGE_STEPS)
    row = np.arange(steps)
    rest[row, 7 + np.minimum(known.position // known.steps_per_beat, 3)] = 1.0
    rest[row, 11 + np.minimum(known.position % known.steps_per_beat, 5)] = 1.0
    rest[row, 17 + known.meter] = 1.0
    return np.concatenate([pitch.reshape(steps, -1), rest], axis=1)


class KnownStep(NamedTuple):
    """Holds what was known of the right hand when one step was planned: the fields of `Known` for a single step."""

    onsets: list[int]
    sounding: list[int]
    top: int
    lowest: int
    last: int
    age: float
    position: int
    steps_per_beat: int
    meter: int
    memory: Array


def stack(known: Sequence[KnownStep]) -> Known:
    """Join T single steps into one `Known` with T rows."""
    kinds = (np.uint8, np.uint8, *[np.int16] * 3, np.float32, *[np.int16] * 2, np.int8, np.float32)
    return Known(*(np.array(column, kind) for column, kind in zip(zip(*known, strict=True), kinds, strict=True)))


def encode_step(known: KnownStep) -> Array:
    """Return the row [INPUT_SIZE] that `encode` returns for this step. It takes a tenth of the time for one step."""
    x = np.zeros(INPUT_SIZE, np.float32)
    for pitch_class, keys in enumerate((*known.onsets, *known.sounding)):
        if keys:
            x[pitch_class] = 1.0
    for channel, pitch in ((2, known.top), (3, known.lowest), (4, known.last)):
        if pitch >= 0:
            x[12 * channel + pitch % 12] = 1.0
    np.divide(known.memory, np.maximum(known.memory.max(axis=1, keepdims=True), 1e-6), out=x[60:84].reshape(2, 12))
    height = max(known.top, known.last if known.top < 0 else 0)
    rest = 12 * len(PITCH_CHANNELS)
    x[rest] = min(max((height - 36) / 60, 0.0), 1.0)
    x[rest + 1] = known.top >= 0
    x[rest + 2] = min(sum(known.onsets), 4) / 4
    x[rest + 3] = min(sum(known.sounding), 4) / 4
    x[rest + 4 : rest + 7] = np.exp(np.float32(-min(max(known.age, 0.0), NEVER)) / AGE_STEPS)
    x[rest + 7 + min(known.position // known.steps_per_beat, 3)] = 1.0
    x[rest + 11 + min(known.position % known.steps_per_beat, 5)] = 1.0
    x[rest + 17 + known.meter] = 1.0
    return x


@dataclass(frozen=True, slots=True)
class _Waiting:
    decided_s: float
    order: int
    note: Note | None
    ended: NoteEnded | None


class Listener:
    """Keeps decided notes and shows, step by step, only the notes that were decided in time.

    `hear` and `end` may be called at any time. `look` uses a note or an end only once its `decided_s` has passed.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget all notes heard, and those that wait."""
        self._waiting: list[_Waiting] = []
        self._order = 0
        self._down: dict[int, float] = {}
        self._last = -1
        self._last_onset_s: float | None = None
        self._memory = [[0.0] * 12 for _ in _DECAYS]
        """For each decay, the steps for which each pitch class has sounded. For so few numbers numpy takes longer."""
        self.lowest_recent = -1
        """MIDI pitch of the lowest key down, or of the lowest latest onset if none is down; -1 before the first."""
        self.velocity = 0.0
        """Running mean of the heard MIDI velocities, 0 before the first note."""

    def hear(self, note: Note) -> None:
        """Store a note of the right hand until `look` may use it. A note of the left hand is ignored."""
        if note.hand != "right":
            return
        self._wait(note.decided_s, note, None)
        if note.offset_s is not None:
            self.end(NoteEnded(note.pitch, note.onset_s, note.offset_s, max(note.offset_s, note.decided_s)))

    def end(self, ended: NoteEnded) -> None:
        """Store the end of a note until `look` may use it. The end of an unknown note is ignored."""
        self._wait(ended.decided_s, None, ended)

    def look(self, step: Step, until_s: float) -> KnownStep:
        """Return what is known of the right hand for `step`: everything decided by `until_s` (stream seconds).

        Call it once for each step, in order, because each call lets the memory fade.
        """
        heard = self._take_in(until_s + ROUNDING_S) if self._waiting else []
        if heard:
            self._last_onset_s = max(note.onset_s for note in heard)
            together = [note.pitch for note in heard if note.onset_s >= self._last_onset_s - step.length_s / 2]
            self._last = max(together)
            self.lowest_recent = min(together)
        if self._down:
            self.lowest_recent = min(self._down)
        return self._known(step, [note.pitch for note in heard])

    def _take_in(self, limit_s: float) -> list[Note]:
        """Use the notes and ends that were decided by `limit_s` (stream seconds), so that they wait no longer.

        Returns the notes in the order of their decisions.
        """
        ready = [w for w in self._waiting if w.decided_s <= limit_s]
        if not ready:
            return []
        ready.sort(key=lambda w: (w.decided_s, w.order))
        self._waiting = [w for w in self._waiting if w.decided_s > limit_s]
        heard: list[Note] = []
        for waiting in ready:
            if waiting.note is not None:
                heard.append(waiting.note)
                self._down[waiting.note.pitch] = waiting.note.onset_s
                self.velocity += (waiting.note.velocity - self.velocity) * (0.1 if self.velocity else 1.0)
            elif waiting.ended is not None and self._down.get(waiting.ended.pitch, np.inf) <= waiting.ended.onset_s:
                del self._down[waiting.ended.pitch]
        return heard

    def _known(self, step: Step, pitches: list[int]) -> KnownStep:
        """Return what is known when `step` is planned. `pitches` became known since the step before."""
        onsets, sounding = [0] * 12, [0] * 12
        for pitch in pitches:
            onsets[pitch % 12] += 1
        for pitch in self._down:
            sounding[pitch % 12] += 1
        heard = [struck or held for struck, held in zip(onsets, sounding, strict=True)]
        self._memory = [
            [steps * decay + 1.0 if keys else steps * decay for steps, keys in zip(row, heard, strict=True)]
            for row, decay in zip(self._memory, _DECAYS, strict=True)
        ]
        age = NEVER if self._last_onset_s is None else (step.time_s - self._last_onset_s) / step.length_s
        meter = step.meter
        return KnownStep(
            onsets=onsets,
            sounding=sounding,
            top=max(self._down, default=-1),
            lowest=min(self._down, default=-1),
            last=self._last,
            age=age,
            position=step.position,
            steps_per_beat=meter.steps_per_beat,
            meter=_number(meter),
            memory=np.array(self._memory, np.float32),
        )

    def _wait(self, decided_s: float, note: Note | None, ended: NoteEnded | None) -> None:
        self._waiting.append(_Waiting(decided_s, self._order, note, ended))
        self._order += 1


@cache
def _number(meter: Meter) -> int:
    """Return the index of a metre in `LISTED`, or the length of `LISTED` for any other."""
    name = str(meter)
    return LISTED.index(name) if name in LISTED else len(LISTED)
