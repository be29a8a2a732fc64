"""Finds the first beats of a file that is followed, so that the clock has the beat from the first note on.

A clock that follows the player needs some notes before it gives a beat. But the notes of a file are known in advance.
So the clock hears the first minute once, and its first beats are continued back to the first note.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

import numpy as np

from device.clock.even_counts import EvenCounts
from device.clock.step import Step
from device.following.follow_clock import AUTOMATIC, FollowClock

HOP_S = 0.016
"""Seconds between two calls of `due`: one hop of the device."""
LOOKED_AT_S = 60.0
"""The beats are searched in this many seconds of music from the first note on."""
STEADY_BEATS, STEADY = 6, 0.2
"""The first STEADY_BEATS beats in a row are continued whose lengths all differ from their median by less than STEADY.

STEADY is a share of the median.
"""
NEAR, PULL = 0.2, 0.6
"""If an onset is nearer to a beat than NEAR beats, the beat moves towards it by the share PULL of the distance."""
TAPS = 4
SLOW_S, HALVES, QUARTERS, PLACE = 0.95, 0.55, 0.35, 0.15
"""A beat longer than so many seconds is two beats if at least this share of its halves has an onset, and at most that
share of its quarters. An onset counts within this share of a beat. Quarter notes are likelier than slow eighths.
"""


def beats_before(clock: FollowClock, notes: Sequence[tuple[float, int]]) -> list[float] | None:
    """Return four times in seconds, a beat apart. A bar begins one beat after the last, at or before the first note.

    `notes` are (onset in seconds, pitch), in order. The function plays them to `clock`, which must be reset afterwards.
    It returns None if the notes begin with a count-in, or if the clock finds no steady beat.
    """
    beats = _beats(clock, notes)
    steady = next((i for i in range(len(beats) - STEADY_BEATS) if _is_steady(beats[i : i + STEADY_BEATS + 1])), None)
    if steady is None or beats[steady].counted:
        return None
    first_s = notes[0][0]
    length_s = median(
        later.time_s - earlier.time_s for earlier, later in pairwise(beats[steady : steady + STEADY_BEATS])
    )
    at_s, position = beats[steady].time_s, beats[steady].beat
    if length_s > SLOW_S and _are_two(beats[steady:], [onset_s for onset_s, _ in notes]):
        length_s, position = length_s / 2, position * 2
    while at_s - length_s > first_s - NEAR * length_s:
        before_s = at_s - length_s
        away_s = min((onset_s - before_s for onset_s, _ in notes if onset_s < at_s), key=abs, default=0.0)
        if abs(away_s) < NEAR * length_s:
            before_s += PULL * away_s
        length_s += (at_s - before_s - length_s) / 2
        at_s, position = before_s, position - 1
    bar_s = at_s - position % beats[steady].meter.beats_per_bar * length_s
    return [bar_s - i * length_s for i in range(TAPS, 0, -1)]


def has_count_in(notes: Sequence[tuple[float, int]], count_in: int | None) -> bool:
    """Return whether `notes`, (onset in seconds, pitch) in order, begin with a count-in.

    `count_in` is the number of counts that the user named. None: four counts on one key are looked for.
    """
    wanted = AUTOMATIC if count_in is None else count_in
    if wanted < 2:
        return False
    counts = EvenCounts(wanted, any_key=count_in is not None)
    for onset_s, pitch in notes:
        counts.hear(onset_s, pitch)
        if counts.counts is not None:
            return True
    return False


def _beats(clock: FollowClock, notes: Sequence[tuple[float, int]]) -> list[Step]:
    """Return the beats that the clock gives in the first LOOKED_AT_S seconds."""
    waiting, beats = list(notes), list[Step]()
    until_s = min(notes[0][0] + LOOKED_AT_S, notes[-1][0])
    for hop in range(int(notes[0][0] / HOP_S), int(until_s / HOP_S) + 1):
        now_s = hop * HOP_S
        while waiting and waiting[0][0] <= now_s:
            onset_s, pitch = waiting.pop(0)
            clock.hear(onset_s, onset_s, pitch)
        while (step := clock.due(now_s)) is not None:
            if step.is_beat:
                beats.append(step)
    return beats


def _are_two(beats: Sequence[Step], onsets_s: Sequence[float]) -> bool:
    """Return whether each beat in `beats` is really two beats: nearly all halves have an onset, and few quarters do."""
    times_s, onsets = np.array([step.time_s for step in beats]), np.array(onsets_s)
    lengths_s = np.diff(times_s)

    def share(place: float) -> float:
        away_s = np.abs(times_s[:-1, None] + place * lengths_s[:, None] - onsets)
        return float(np.mean(away_s.min(axis=1) < PLACE * lengths_s))

    return share(1 / 2) >= HALVES and max(share(1 / 4), share(3 / 4)) <= QUARTERS


def _is_steady(beats: Sequence[Step]) -> bool:
    lengths_s = [later.time_s - earlier.time_s for earlier, later in pairwise(beats)]
    usual_s = median(lengths_s)
    in_order = all((b.beat - a.beat) % a.meter.beats_per_bar == 1 % a.meter.beats_per_bar for a, b in pairwise(beats))
    return in_order and all(abs(length_s / usual_s - 1) < STEADY for length_s in lengths_s)
