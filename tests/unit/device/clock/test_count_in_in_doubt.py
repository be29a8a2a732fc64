"""A player who comes in off the counted beat: late by a part of a beat, or with an upbeat or a syncopation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.clock.follow_clock import FollowClock
from device.clock.meter import Meter
from device.clock.step import Step

BEAT_S, COUNTS = 0.6, 4
FIRST_S = COUNTS * BEAT_S
"""Time of the beat after the last count, in seconds."""
TUNE = [(0, 67), (1, 64), (2, 65), (3, 67), (4, 72), (5, 71), (5.5, 69), (6, 67)]
"""Two bars: places in beats, and MIDI pitches."""
BARS_OF_TUNE, BEATS = 8, 64
HELD, SURE = 0.175, 0.5
"""Share of a beat within which a beat is right, and the lock of a clock that is sure."""
TWO_BARS = 8
OPENINGS = {
    "an upbeat of half a beat": [-0.5],
    "an upbeat of a beat and a half": [-1.5, -1, -0.5],
    "eighths after a rest": [0.5, 1, 1.5, 2, 2.5, 3, 3.5],
    "two off the beat": [0.5, 1.5, 2, 3],
    "a bar off the beat": [0.5, 1.5, 2.5, 3.5],
    "sixteenths before the beat": [0.75, 1, 2, 2.75, 3],
}
"""Places of the onsets before the tune, in beats. They keep to the counted beat."""


def beats_after_counts(onsets: list[tuple[float, int]], jitter_s: float, seed: int) -> list[Step]:
    """Return the beats that the clock gives in time to four counts and `onsets` (seconds, pitch)."""
    rng = np.random.default_rng(seed)
    notes = [(i * BEAT_S, 72) for i in range(COUNTS)]
    notes += sorted((onset_s + float(rng.normal(0, jitter_s)), pitch) for onset_s, pitch in onsets)
    clock, beats = FollowClock(Meter(4, 4), COUNTS), list[Step]()
    for now_s in np.arange(0.0, notes[-1][0] + 0.5, 0.016):
        while notes and notes[0][0] <= now_s:
            onset_s, pitch = notes.pop(0)
            clock.hear(onset_s, onset_s, pitch)
        while (step := clock.due(float(now_s))) is not None:
            if step.is_beat:
                beats.append(step)
    return beats


def tune_from(start_s: float, beat_s: float = BEAT_S) -> list[tuple[float, int]]:
    places = [(8 * i + place, pitch) for i in range(BARS_OF_TUNE) for place, pitch in TUNE]
    return [(start_s + place * beat_s, pitch) for place, pitch in places]


def off_by(beat: Step, start_s: float, beat_s: float = BEAT_S) -> float:
    """Return how far a beat is from the nearest true beat, in beats."""
    place = (beat.time_s - start_s) / beat_s
    return abs(place - round(place))


@settings(max_examples=25, deadline=None)
@given(
    late=st.sampled_from([1 / 3, 0.5, 1.5]),
    jitter_s=st.floats(0.0, 0.012),
    seed=st.integers(0, 99),
)
def test_who_comes_in_off_the_counted_beat_is_followed_within_two_bars(late: float, jitter_s: float, seed: int) -> None:
    start_s = FIRST_S + late * BEAT_S
    beats = beats_after_counts(tune_from(start_s), jitter_s, seed)
    for beat in beats:
        if beat.time_s > start_s + BEAT_S and off_by(beat, start_s) > HELD:
            assert beat.lock < SURE
            assert beat.time_s < start_s + (TWO_BARS + 0.5) * BEAT_S
    assert sum(off_by(beat, start_s) <= HELD for beat in beats) > BEATS - 2 * TWO_BARS


@settings(max_examples=25, deadline=None)
@given(opening=st.sampled_from(sorted(OPENINGS)), jitter_s=st.floats(0.0, 0.012), seed=st.integers(0, 99))
def test_an_upbeat_or_a_syncopation_that_keeps_to_the_count_is_not_taken_for_late(
    opening: str, jitter_s: float, seed: int
) -> None:
    before = OPENINGS[opening]
    upbeat = before[0] < 0
    start_s = FIRST_S + (BEAT_S * np.ceil(-min(before)) if upbeat else 4 * BEAT_S)
    first_s = start_s if upbeat else FIRST_S
    notes = [(first_s + place * BEAT_S, 60 + i % 5) for i, place in enumerate(before)] + tune_from(start_s)
    beats = beats_after_counts(notes, jitter_s, seed)
    assert max(off_by(beat, start_s) for beat in beats) <= HELD
    assert np.diff([beat.time_s for beat in beats]) == pytest.approx(BEAT_S, abs=2 * HELD * BEAT_S)


def test_while_the_count_in_is_in_doubt_the_clock_names_it() -> None:
    beats = beats_after_counts(tune_from(FIRST_S + 0.5 * BEAT_S), 0.0, 0)
    doubts = [beat.doubt.kind for beat in beats if beat.doubt is not None]
    assert "count-in" in doubts
    assert all(beat.doubt is None for beat in beats[-TWO_BARS:])
