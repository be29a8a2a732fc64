"""Plays hands of scores as pianists do: with rubato, breaths, uneven notes, ornaments, and with a count-in or without.

The spreads come from statistics of the timing of 70 real performances: the logarithm of a beat's length has a standard
deviation of .08 in the median piece and of more than .19 in a tenth of them, and the lengths of successive beats have a
correlation of .41.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.clock.meter import Meter
from device.following.beat_net import TAPS
from device.following.heard_onsets import SAME_ONSET_S
from training.scored_hands import Floats, ScoredHand

STRICT, DOSE_SD, DOSE_MEAN = 0.25, 0.55, 0.05
"""Share of the takes in strict time; else the dose of rubato is log-normal: spread and mean of its logarithm."""
KEEPS, SLOW_SD, QUICK_SD, HALF_SD = 0.85, 0.045, 0.025, 0.03
"""Log length of a beat: share that is kept from beat to beat, spread of this slow hand, of the hand that is new at each
beat (a Student t distribution with 4 degrees of freedom), and of each half beat."""
PHRASES, PHRASE_SD, LAST_BEATS = (2, 4, 8, 16), 0.12, 3
"""Bars of a phrase, mean slowing at its end, and the most beats that are slowed."""
LONG_BEATS, LONG_TIMES, LONG_SD = 1.0, 2.5, 0.07
"""A note of so many beats, and of so many times the usual gap, is long. Half of them stretch their beat by this."""
NEW_TEMPO, NEW_TEMPO_SD = 0.12, 0.2
"""Share of the takes in which the tempo changes once, and by how much (log)."""
LEAST_LOG, MOST_LOG = -0.8, 1.1
"""Limits of the log length of a beat relative to the take's tempo."""
USUAL_BEAT_S, DENSE_BEAT, BEAT_SD, SHORTEST_S, LONGEST_S = 0.66, 4.2, 0.3, 0.28, 1.8
"""Beat in seconds of a hand with DENSE_BEAT onsets a beat (it grows with their square root), its spread, its limits."""
BREATH, BREATH_AFTER_LONG, BREATH_BEATS = 0.01, 0.08, 0.25
"""Probability of a breath before an onset, and after a long note; its mean length in beats."""
UNEVEN_S, UNEVEN_BEATS, SLIPS, SLIP_TIMES = (0.006, 0.024), 0.012, 0.04, 3.0
"""Range of the spread of an onset in seconds, its growth with the dose in beats, and the share of onsets with more."""
MISSING = (0.0, 0.01, 0.03)
"""Share of the onsets that are not played, drawn for each take."""
COUNT_SD, TAP_SD, LAST_TAP_SD, FREE = 0.03, 0.012, 0.008, 0.35
"""Spreads of the counted tempo (log), of each tap (log), of the last tap in seconds; share without a count-in."""


@dataclass(frozen=True)
class Take:
    """One take [n]: times in seconds; places in beats; pitch of the first key, and of the top key; keys; local length
    of a beat in seconds; whether an onset is a tap, and an ornament. `counted`: whether it begins with taps."""

    meter: Meter
    time_s: Floats
    place: Floats
    first: Floats
    top: Floats
    keys: Floats
    beat_s: Floats
    is_tap: Floats
    is_ornament: Floats
    counted: bool
    half_s: Floats
    """Time in seconds of each half beat from place 0 on, whether an onset is there or not."""


def play(hand: ScoredHand, rng: np.random.Generator, onsets: int, free: float = 1.0, whole_bars: bool = False) -> Take:
    """Return a take of about `onsets` onsets of `hand`, from its start or from anywhere in it.

    `free` (0 to 1) multiplies the dose of rubato. `whole_bars`: place 0 begins a bar of the score; else any beat.
    """
    begin = 0 if rng.random() < 0.5 else int(rng.integers(0, max(1, len(hand.place) - onsets // 2)))
    cut = slice(begin, begin + onsets)
    base = np.floor(hand.place[begin]) - int(rng.integers(0, 3))
    if whole_bars:
        base -= base % hand.meter.beats_per_bar
    place = hand.place[cut] - base
    gaps = np.diff(place, append=place[-1] + 1)
    is_long = gaps >= max(LONG_BEATS, LONG_TIMES * float(np.median(gaps)))
    dose = 0.0 if rng.random() < STRICT else free * float(np.exp(rng.normal(DOSE_MEAN, DOSE_SD)))
    beat_s = USUAL_BEAT_S * np.exp(0.5 * np.log(len(place) / max(1.0, place[-1] - place[0]) / DENSE_BEAT))
    beat_s = float(np.clip(beat_s * np.exp(rng.normal(0, BEAT_SD)), SHORTEST_S, LONGEST_S))
    half_s = beat_s / 2 * np.exp(_half_beats(place, is_long, hand.meter.beats_per_bar, dose, rng))
    grid = np.arange(len(half_s) + 1) / 2
    grid_s: Floats = np.append(0.0, np.cumsum(half_s))
    breath = rng.random(len(place)) < BREATH * min(dose, 1.5)
    breath |= np.append(False, is_long[:-1]) & (rng.random(len(place)) < BREATH_AFTER_LONG * dose)
    added_s = np.cumsum(breath * rng.exponential(BREATH_BEATS, len(place)) * beat_s * min(dose, 1.2))
    grid_s = grid_s + np.interp(grid, place, added_s, left=0.0)
    time_s = np.interp(place, grid, grid_s) + _uneven(len(place), dose, beat_s, rng)
    low_first = (hand.keys[cut] > 1) & (rng.random(len(place)) < 0.4)
    first = np.where(low_first, hand.low[cut], hand.top[cut])
    notes = np.array([time_s, place, first, hand.top[cut], hand.keys[cut], np.zeros(len(place))])
    keep = rng.random(len(place)) >= rng.choice(MISSING)
    keep[0] = True
    ornaments = _ornaments(notes, gaps, beat_s, rng)
    ornaments[1] = np.interp(ornaments[0], grid_s, grid)
    notes = _joined(np.concatenate((notes[:, keep], ornaments), 1))
    local = np.convolve(np.pad(np.log(2 * half_s), 2, mode="edge"), np.ones(5) / 5, "valid")
    length_s = np.exp(np.interp(notes[1], grid[:-1] + 0.25, local))
    notes = np.concatenate((notes, length_s[None], np.zeros((1, notes.shape[1]))))
    counted = rng.random() >= FREE
    if counted:
        notes = _counted_in(notes, float(np.exp(np.log(2 * half_s[:48]).mean())), rng)
    time_s, place, first, top, keys, ornament, length_s, tap = notes
    return Take(
        hand.meter,
        time_s=time_s,
        place=place,
        first=first,
        top=top,
        keys=keys,
        beat_s=length_s,
        is_tap=tap,
        is_ornament=ornament,
        counted=counted,
        half_s=grid_s,
    )


def _half_beats(
    place: Floats, is_long: npt.NDArray[np.bool_], bar: int, dose: float, rng: np.random.Generator
) -> Floats:
    """Return the log length of each half beat, relative to the tempo of the take. `bar` is in beats."""
    beats = int(place[-1]) + 6
    slow, value = np.empty(beats), rng.normal()
    for i in range(beats):
        value = KEEPS * value + np.sqrt(1 - KEEPS**2) * rng.normal()
        slow[i] = value
    log = SLOW_SD * slow + QUICK_SD * rng.standard_t(4, beats)
    phrase = int(rng.choice(PHRASES)) * bar
    usual = rng.exponential(PHRASE_SD)
    for end in range(int(rng.integers(0, phrase)), beats, phrase):
        slowed, most = int(rng.integers(1, LAST_BEATS + 1)), usual * rng.exponential(1.0)
        for i in range(min(slowed, end)):
            log[end - 1 - i] += most * (slowed - i) / slowed
    for at in place[is_long]:
        log[int(at)] += rng.exponential(LONG_SD) * (rng.random() < 0.5)
    if rng.random() < NEW_TEMPO:
        log[int(rng.integers(0, beats)) :] += rng.normal(0, NEW_TEMPO_SD)
    log = np.clip(dose * log, LEAST_LOG, MOST_LOG)
    return np.repeat(log, 2) + dose * rng.normal(0, HALF_SD, 2 * beats)


def _uneven(number: int, dose: float, beat_s: float, rng: np.random.Generator) -> Floats:
    """Return how much later than its place each onset comes, in seconds."""
    off_s = rng.normal(0, rng.uniform(*UNEVEN_S), number) + rng.normal(0, UNEVEN_BEATS * dose * beat_s, number)
    return np.where(rng.random(number) < SLIPS, SLIP_TIMES * off_s, off_s)


def _ornaments(notes: Floats, gaps: Floats, beat_s: float, rng: np.random.Generator) -> Floats:
    """Return grace notes, trills, broken chords and wrong notes between `notes`, with the same rows [6, m]."""
    time_s, _, _, top, keys, _ = notes
    until_s = np.append(time_s[1:], time_s[-1] + beat_s)
    found: list[tuple[float, float]] = []
    for i in np.flatnonzero(rng.random(len(time_s)) < rng.choice([0.0, 0.01, 0.04], p=[0.4, 0.4, 0.2])):
        if i and time_s[i] - time_s[i - 1] > 0.18:
            found.append((time_s[i] - rng.uniform(0.05, 0.1), top[i] + rng.choice([-2, -1, 1, 2])))
    if rng.random() < 0.25:
        for i in np.flatnonzero((gaps >= 0.7) & (rng.random(len(time_s)) < 0.25)):
            each_s, upper = rng.uniform(0.055, 0.13), top[i] + rng.choice([1, 2])
            strokes = int((until_s[i] - time_s[i]) * rng.uniform(0.5, 1) / each_s)
            for j in range(1, min(strokes, 40)):
                found.append((time_s[i] + j * each_s * rng.uniform(0.93, 1.07), upper if j % 2 else top[i]))
    for i in np.flatnonzero((keys >= 3) & (rng.random(len(time_s)) < 0.04)):
        found += [(time_s[i] + j * rng.uniform(0.05, 0.08), top[i]) for j in range(1, int(keys[i]))]
    if rng.random() < 0.3:
        for i in np.flatnonzero(rng.random(len(time_s)) < 0.01):
            found.append((time_s[i] + rng.uniform(0.06, 0.3), top[i] + int(rng.integers(-4, 5))))
    out = np.zeros((6, len(found)))
    if found:
        out[0], out[2] = zip(*found, strict=True)
        out[3], out[4], out[5] = out[2], 1, 1
    return out


def _joined(notes: Floats) -> Floats:
    """Return the notes in the order of their times. Those within SAME_ONSET_S of the first are one onset."""
    notes = notes[:, notes[0].argsort(kind="stable")]
    firsts = [0]
    for i, at_s in enumerate(notes[0].tolist()):
        if at_s - notes[0, firsts[-1]] >= SAME_ONSET_S:
            firsts.append(i)
    out = notes[:, firsts]
    out[3] = np.maximum.reduceat(notes[3], firsts)
    out[4] = np.add.reduceat(notes[4], firsts)
    return out


def _counted_in(notes: Floats, beat_s: float, rng: np.random.Generator) -> Floats:
    """Return the notes after four taps on the beats before place 0, without the notes before the last tap."""
    count_s = beat_s * np.exp(rng.normal(0, COUNT_SD))
    taps_s = np.cumsum(np.exp(rng.normal(0, TAP_SD, TAPS))) * count_s
    taps_s += rng.normal(0, LAST_TAP_SD) - taps_s[-1] - count_s * np.exp(rng.normal(0, COUNT_SD))
    notes = notes[:, notes[0] > taps_s[-1] + 0.1]
    taps = np.zeros((8, TAPS))
    taps[0], taps[1], taps[2:4], taps[4] = taps_s, np.arange(-TAPS, 0), 72, 1
    taps[6], taps[7] = count_s, 1
    return np.concatenate((taps, notes), 1)
