"""Makes left hands to compare ours with: the true one moved in time, a held chord, and chords chosen by rule.

`Roll` is a hand on a grid of steps. Each function of `BASELINES` gets the rolls of the right hand and of the true left
hand, the steps a bar and the steps a beat, and returns a roll.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.playing_figures.panel import ROLL_BARS, TRIADS, Roll

DECAY_BEATS = 4.0
"""Beats after which a heard sixteenth note weighs only 1/e of its first weight in the chord rule."""
LEAD = 1.05
"""The machine changes its chord only if another chord fits better by this factor."""
BASS, UPPER = 41, 52
"""MIDI pitches F2 and E3: the lowest keys of the machine's bass and of its chords. Each has one octave of keys."""
LOWEST = 48
"""MIDI pitch C3. The baselines play each pitch class in the octave that begins here."""

MAJOR_PROFILE = np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88])
MINOR_PROFILE = np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17])
"""Weights of the 12 pitch classes in a major and a minor key, from the tonic up: Krumhansl and Kessler (1982)."""


def truth(right: Roll, true: Roll, bar: int, steps_per_beat: int) -> Roll:
    """Return the true left hand, unchanged."""
    return true


def rolled(right: Roll, true: Roll, bar: int, steps_per_beat: int) -> Roll:
    """Return the true left hand, played `ROLL_BARS` (8.5) bars late."""
    return true.rolled(int(ROLL_BARS * bar))


def tonic(right: Roll, true: Roll, bar: int, steps_per_beat: int) -> Roll:
    """Return a hand that strikes one chord once and holds it to the end.

    It is the tonic triad (home chord) of the key that fits the whole melody best.
    """
    durations = right.pitch_classes.sum(axis=0).astype(np.float64)
    fits = [np.corrcoef(np.roll(p, k), durations)[0, 1] for p in (MAJOR_PROFILE, MINOR_PROFILE) for k in range(12)]
    sounding = np.zeros_like(right.sounding)
    struck = np.zeros_like(right.sounding)
    keys = _keys(int(np.argmax(fits)))
    sounding[:, keys] = True
    struck[0, keys] = True
    return Roll(sounding, struck)


def held_to_bar_line(hand: Roll, positions: npt.NDArray[np.int64]) -> Roll:
    """Return the strikes of `hand`, each key held until the next bar line. `positions` [T] are steps in the bar.

    Such a hand sounds all tones of its bar at once, so it is right about many of them.
    """
    lines = np.append(np.flatnonzero(positions == 0), len(positions))
    sounding = hand.sounding.copy()
    for step, key in np.argwhere(hand.struck):
        sounding[step : lines[np.searchsorted(lines, step, side="right")], key] = True
    return Roll(sounding, hand.struck)


def chord_rule(right: Roll, true: Roll, bar: int, steps_per_beat: int) -> Roll:
    """Return a left hand that strikes one triad on each beat: the triad that fits the melody before this beat best.

    Each pitch class of the melody counts by its duration. Older notes weigh less: see `DECAY_BEATS`.
    """
    steps = len(right.sounding)
    sounding, struck = np.zeros_like(right.sounding), np.zeros_like(right.sounding)
    memory = melody_before(right, steps_per_beat)
    unit = TRIADS / np.linalg.norm(TRIADS, axis=1, keepdims=True)
    for beat in range(0, steps, steps_per_beat):
        known = memory[beat]
        if known.any():
            keys = _keys(int(np.argmax(unit @ known)))
            sounding[beat : beat + steps_per_beat, keys] = True
            struck[beat, keys] = True
    return Roll(sounding, struck)


def melody_before(right: Roll, steps_per_beat: int) -> npt.NDArray[np.float64]:
    """Return the weight of each pitch class of the melody before each step, float [T + 1, 12].

    The weight is the time that the pitch class sounded. Older time weighs less: see `DECAY_BEATS`.
    """
    heard = np.zeros(12)
    memory = np.zeros((len(right.sounding) + 1, 12))
    keep = np.exp(-1.0 / (DECAY_BEATS * steps_per_beat))
    for step, classes in enumerate(right.pitch_classes):
        heard = heard * keep + classes
        memory[step + 1] = heard
    return memory


def machine_oom_pah(right: Roll, positions: npt.NDArray[np.int64], bar: int, steps_per_beat: int) -> Roll:
    """Return a machine's accompaniment: a bass key and a chord in turn on the beats.

    The machine chooses a chord at each half bar (at each bar if it has no half on a beat) from the melody before it. It
    keeps the chord unless another one fits better by `LEAD`. It strikes the root on the bar line, the fifth on the half
    bar, and the upper chord on the other beats. `positions` [T] are steps in the bar, and `bar` is the steps a bar.
    """
    steps = len(right.sounding)
    memory = melody_before(right, steps_per_beat)
    unit = TRIADS / np.linalg.norm(TRIADS, axis=1, keepdims=True)
    half = bar // 2 if bar % (2 * steps_per_beat) == 0 else bar
    sounding, struck = np.zeros_like(right.sounding), np.zeros_like(right.sounding)
    triad = -1
    for step in range(steps):
        place = int(positions[step])
        if place % half == 0 and memory[step].any():
            fits = unit @ memory[step]
            best = int(np.argmax(fits))
            triad = best if triad < 0 or fits[best] > LEAD * fits[triad] else triad
        if triad < 0 or place % steps_per_beat:
            continue
        root = BASS + (triad % 12 - BASS) % 12
        if place % half == 0:
            keys = [root if place == 0 or half == bar else root + 7 - 12 * (root + 7 > BASS + 11)]
            length = steps_per_beat
        else:
            keys = [UPPER + (triad % 12 + tone - UPPER) % 12 for tone in (0, 4 if triad < 12 else 3, 7)]
            length = steps_per_beat // 2
        sounding[step : step + length, keys] = True
        struck[step, keys] = True
    return Roll(sounding, struck)


def _keys(triad: int) -> npt.NDArray[np.int64]:
    return LOWEST + np.flatnonzero(TRIADS[triad])


BASELINES = {"truth": truth, "rolled": rolled, "tonic": tonic, "chord rule": chord_rule}
