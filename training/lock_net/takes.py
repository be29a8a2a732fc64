"""Plays simulated takes and real performances to the clock, and keeps what its net of `lock` sees and which beats hold.

A beat that the clock gives is right if the true beat nearest to it is held and this one is within the same distance:
see `training.playing_figures.following`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.following.beat_net import TAPS
from device.following.follow_clock import FollowClock
from device.following.lock_inputs import INPUTS, LockInputs
from device.following.lock_net import SILENCES, LockNet, silence_inputs
from training.beat_net.playing import Take, play
from training.lock_net.changes import changed, evened
from training.playing_figures.following import FROM_S, HELD, Performed, at_once, held, shift_s, told_to
from training.scored_hands import Floats, ScoredHand

Singles = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Notes = list[tuple[float, int]]

ONSETS = 160
"""Onsets of a take, without ornaments."""
LEAST_FREE, BARS = 0.15, 0.75
"""Least factor of the dose of rubato (the greatest is 1), and share of the takes that begin with a bar of the score."""
STEADY_TAKES, STEADY_ONSETS = 0.6, 90
"""Share of further takes of steady players, and their onsets."""
MOST_S, LEAST_BEATS = 100.0, 16
"""Seconds after which a take ends, and the least number of its beats."""
LEAD_IN_S, SPREAD_S = 0.5, 0.004
"""Seconds before the first onset, and between the keys of a chord."""
BELOW = (4, 7, 12, 16)
"""Semitones from the top key of a chord down to the others, if the top key comes first."""
CHORD_S = 0.05
"""A true beat counts up to so many seconds after the last onset."""


@dataclass(frozen=True)
class ClockTake:
    """Holds the inputs of the net of `lock` for a take, and the m beats that the clock gives in time.

    `inputs` [onsets, INPUTS]; for each beat `heard` [m], the number of onsets before it, `silences` [m, SILENCES],
    `right` [m], `judged` [m] (from 5 s of music on) and the present `lock` [m].
    """

    inputs: Singles
    heard: npt.NDArray[np.int64]
    silences: Singles
    right: Bools
    judged: Bools
    lock: Floats


class _Recorder(LockNet):
    """Keeps what the net sees."""

    def begin(self, counted_s: float | None) -> None:
        super().begin(counted_s)
        self.kept: list[Floats] = []

    def step(self, inputs: Floats) -> None:
        super().step(inputs)
        self.kept.append(inputs)


class _Asked(FollowClock):
    """Keeps what is known whenever `lock` is asked for. Its `lock` is the number of the row."""

    def reset(self) -> None:
        super().reset()
        self._history = self.recorder = _Recorder(LockInputs(self._hypotheses, self._net, self._leaders.rivals))
        self.rows: list[tuple[int, float, float]] = []

    def _lock(self, at_s: float, history: float | None, net: float | None = None) -> float:
        lock = super()._lock(at_s, history, net)
        if history is None:
            return lock
        self.rows.append((len(self.recorder.kept), self._silent_beats(at_s), lock))
        return float(len(self.rows) - 1)


def clock_take(meter: Meter, notes: Notes, beats: Floats, from_s: float) -> ClockTake | None:
    """Play `notes` (onset in seconds, MIDI pitch) to the clock. Return None if it gives no beat in time.

    The first four are a count-in. `beats` are the times of the true beats. Beats are judged from `from_s`.
    """
    clock = _Asked(meter, TAPS)
    told = told_to(clock, at_once(notes))
    inside = (told.time_s >= 1.5 * beats[0] - 0.5 * beats[1]) & (told.time_s <= 1.5 * beats[-1] - 0.5 * beats[-2])
    if not inside.any():
        return None
    time_s, rows = told.time_s[inside], [clock.rows[int(row)] for row in told.lock[inside]]
    nearest, gap_s = np.abs(time_s[:, None] - beats).argmin(1), np.diff(beats, prepend=2 * beats[0] - beats[1])
    right = held(beats, told.time_s)[nearest] & (np.abs(time_s - beats[nearest]) <= HELD * gap_s[nearest])
    return ClockTake(
        np.array(clock.recorder.kept, np.float32).reshape(-1, INPUTS),
        np.array([heard for heard, _, _ in rows]),
        np.array([silence_inputs(silent) for _, silent, _ in rows], np.float32).reshape(-1, SILENCES),
        right,
        time_s >= from_s,
        np.array([lock for _, _, lock in rows]),
    )


def notes_of(take: Take) -> tuple[Notes, Floats]:
    """Return the notes of a take, its first at LEAD_IN_S seconds, and the times of its true beats in seconds."""
    shift_s, notes = LEAD_IN_S - float(take.time_s[0]), []
    for time_s, first, top, keys in zip(take.time_s, take.first, take.top, take.keys, strict=True):
        others = np.linspace(first, top, int(keys))[1:] if first < top else top - np.array(BELOW[: int(keys) - 1])
        pitches = [int(first), *(int(pitch) for pitch in others[: len(BELOW)])]
        notes += [(float(time_s + shift_s + i * SPREAD_S), pitch) for i, pitch in enumerate(pitches)]
    notes = sorted(note for note in notes if note[0] < MOST_S)
    beats = take.half_s[::2] + shift_s
    last_s = min(float(take.time_s[-1]) + shift_s, MOST_S)
    return notes, beats[: int(np.searchsorted(beats, last_s + CHORD_S, "right"))]


def simulated(hands: list[ScoredHand], share: Floats, takes: int, seed: int) -> list[ClockTake]:
    """Return so many takes of hands, drawn with the probabilities `share`, as the clock follows them.

    A take that is too short or has no count-in is left out, and another hand is drawn. STEADY_TAKES as many more takes,
    in proportion, are of steady players, with exact onsets or nearly so. All of these pause or change their tempo,
    because after this the hypotheses, the net of the beat and the steady grid may all go on in the old time.
    """
    free, steady = np.random.default_rng([seed, 7]), np.random.default_rng([seed, 8])

    def drawn(rng: np.random.Generator) -> Take:
        hand = hands[int(rng.choice(len(hands), p=share))]
        if rng is free:
            return changed(play(hand, rng, ONSETS, float(rng.uniform(LEAST_FREE, 1)), rng.random() < BARS), rng)
        take = play(hand, rng, STEADY_ONSETS, 0.0, rng.random() < BARS)
        return changed(evened(take, float(rng.uniform(0, 1))), rng, always=True)

    return _followed(lambda: drawn(free), takes) + _followed(lambda: drawn(steady), round(STEADY_TAKES * takes))


def _followed(drawn: Callable[[], Take], number: int) -> list[ClockTake]:
    found = list[ClockTake]()
    while len(found) < number:
        take = drawn()
        notes, beats = notes_of(take)
        if take.counted and len(beats) >= LEAST_BEATS:
            made = clock_take(take.meter, notes, beats, notes[TAPS][0] + FROM_S)
            found += [made] if made is not None and len(made.inputs) else []
    return found


def performed(pieces: list[Performed], way: str) -> list[ClockTake]:
    """Return real performances in one way with a count-in as the clock follows them."""
    made = (
        clock_take(piece.meter, piece.notes[way], piece.beats[way], FROM_S + shift_s(piece, way)) for piece in pieces
    )
    return [take for take in made if take is not None]


@dataclass(frozen=True)
class Batch:
    """Takes [b] padded to the same lengths: `inputs` [b, n, INPUTS], index of the last onset [b, m] before each beat,
    `silences` [b, m, SILENCES], whether the beat is right [b, m], its weight [b, m], 0 for no beat, whether it is
    judged [b, m], and the clock's own `lock` [b, m]."""

    inputs: Singles
    last: npt.NDArray[np.int32]
    silences: Singles
    right: Singles
    weight: Singles
    judged: Bools
    lock: Singles

    @property
    def x(self) -> list[Any]:
        """Return what the net of Keras reads."""
        return [self.inputs, self.last, self.silences]


def batch_of(takes: Sequence[ClockTake]) -> Batch:
    """Return `takes` as arrays. All beats have the same weight."""
    shape = len(takes), max(len(take.right) for take in takes)
    out = Batch(
        np.zeros((len(takes), max(len(take.inputs) for take in takes), INPUTS), np.float32),
        np.zeros(shape, np.int32),
        np.zeros((*shape, SILENCES), np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.bool_),
        np.zeros(shape, np.float32),
    )
    for i, take in enumerate(takes):
        beats = len(take.right)
        out.inputs[i, : len(take.inputs)] = take.inputs
        out.last[i, :beats] = np.maximum(take.heard - 1, 0)
        out.silences[i, :beats] = take.silences
        out.right[i, :beats], out.judged[i, :beats], out.lock[i, :beats] = take.right, take.judged, take.lock
        out.weight[i, :beats] = 1
    return out
