"""A simulated right hand: written rhythms, played with human timing and heard a little late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.clock.step import Clock, Step

Floats = npt.NDArray[np.float64]

RHYTHMS: list[tuple[float, tuple[float, ...]]] = [
    (4.0, (0.0,)),
    (5.0, (0.0, 0.5)),
    (1.5, (0.0, 0.75)),
    (1.0, (0.0, 0.25, 0.5, 0.75)),
    (1.0, (0.0, 0.5, 0.75)),
    (1.0, (0.0, 0.25, 0.5)),
    (0.7, (0.5,)),
    (1.5, ()),
]
"""(weight, places of the onsets in a beat) for quarters, eighths, dotted notes, sixteenths, off-beats and rests."""
COMPOUND: list[tuple[float, tuple[float, ...]]] = [
    (3.0, (0.0,)),
    (3.0, (0.0, 2 / 3)),
    (4.0, (0.0, 1 / 3, 2 / 3)),
    (1.0, (0.0, 1 / 2, 2 / 3)),
    (1.0, ()),
]
"""The same for the two beats of 6/8."""


@dataclass(frozen=True)
class Performance:
    """Onsets in the order of their decisions, and the true times of the beats."""

    onset_s: Floats
    decided_s: Floats
    pitch: npt.NDArray[np.int64]
    beat_s: Floats


def perform(
    beat_s: Floats,
    rng: np.random.Generator,
    count_in: int = 4,
    timing_s: float = 0.02,
    latest_s: float = 0.065,
    rhythms: Sequence[tuple[float, tuple[float, ...]]] = RHYTHMS,
    chords: float = 0.3,
    beats_per_bar: int = 4,
) -> Performance:
    """Return a random melody over the beats `beat_s`. The first `count_in` beats are tapped as a count-in.

    Each onset has a normal timing error with standard deviation `timing_s`, and is decided up to `latest_s` seconds
    later. A share `chords` of the onsets are chords of two or three notes that are spread over up to 30 ms. Onsets on
    the beat are more frequent on the first beat of a bar.
    """
    onsets: list[float] = list(range(count_in))
    weights = np.array([weight for weight, _ in rhythms])
    for beat in range(count_in, len(beat_s) - 1):
        in_bar = (beat - count_in) % beats_per_bar
        heavier = weights * np.where([0.0 in places for _, places in rhythms], 2.0 if in_bar == 0 else 1.0, 1.0)
        places = rhythms[rng.choice(len(rhythms), p=heavier / heavier.sum())][1]
        onsets += [beat + place for place in places]
    exact_s = np.interp(onsets, np.arange(len(beat_s)), beat_s)
    played_s = exact_s + rng.normal(0, timing_s, len(onsets))
    notes: list[tuple[float, int]] = []
    pitch = 72
    for i, time_s in enumerate(played_s):
        if i >= count_in:
            pitch = int(np.clip(pitch + rng.choice([-4, -2, -1, 0, 1, 2, 4]), 60, 88))
        notes.append((time_s, pitch))
        if i >= count_in and rng.random() < chords:
            notes += [(time_s + rng.uniform(0, 0.03), pitch - 3 - 4 * k) for k in range(int(rng.integers(1, 3)))]
    onset_s = np.array([time for time, _ in notes])
    decided_s = onset_s + rng.uniform(0, latest_s, len(notes))
    order = np.argsort(decided_s, kind="stable")
    pitches = np.array([pitch for _, pitch in notes])
    return Performance(onset_s[order], decided_s[order], pitches[order], beat_s[count_in:])


def at_once(notes: Sequence[tuple[float, int]]) -> Performance:
    """Return `notes` (onset in seconds, pitch) as they are decided at once. The last onset is the only beat."""
    onset_s = np.array([time_s for time_s, _ in notes])
    return Performance(onset_s, onset_s, np.array([pitch for _, pitch in notes]), onset_s[-1:])


def listen(clock: Clock, played: Performance, hop_s: float = 0.016, phase_s: float = 0.0) -> list[tuple[Step, float]]:
    """Return every step of the clock until the last beat, with the time at which it was returned."""
    steps: list[tuple[Step, float]] = []
    heard = 0
    now_s = phase_s
    while now_s < played.beat_s[-1]:
        now_s += hop_s
        while heard < len(played.onset_s) and played.decided_s[heard] <= now_s:
            clock.hear(float(played.onset_s[heard]), float(played.decided_s[heard]), int(played.pitch[heard]))
            heard += 1
        while (step := clock.due(now_s)) is not None:
            steps.append((step, now_s))
    return steps


def beat_f(steps: list[tuple[Step, float]], beat_s: Floats, first: int = 0, tolerance_s: float = 0.07) -> float:
    """Return the F-measure of the beats predicted before they sounded, against the true beats from `first` on."""
    real = beat_s[first:-1]
    start_s = real[0] - tolerance_s
    given = [
        s.time_s
        for s, now_s in steps
        if s.is_beat and s.time_s > max(now_s, start_s) and s.time_s < beat_s[-1] - tolerance_s
    ]
    matched = i = 0
    for time_s in given:
        while i < len(real) and real[i] < time_s - tolerance_s:
            i += 1
        if i < len(real) and abs(real[i] - time_s) <= tolerance_s:
            matched += 1
            i += 1
    return 2 * matched / (len(given) + len(real))


def steady(tempo: float, beats: int, start_s: float = 0.5) -> Floats:
    """Return the times of even beats."""
    return start_s + np.arange(beats) * 60 / tempo


def bending(tempo: float, beats: int, tempo_at: Callable[[int], float], start_s: float = 0.5) -> Floats:
    """Return the times of beats whose tempo is `tempo` times `tempo_at(beat)`."""
    lengths = [60 / (tempo * tempo_at(beat)) for beat in range(beats - 1)]
    return start_s + np.concatenate([[0.0], np.cumsum(lengths)])
