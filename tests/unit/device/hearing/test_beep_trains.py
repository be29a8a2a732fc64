"""The next beeps of a metronome are predicted from those before."""

from __future__ import annotations

import numpy as np
import pytest

from device.events import LOWEST_KEY
from device.hearing.beep_trains import LEAST_BEEPS, BeepTrains, Tone
from device.hearing.beeps import WATCHED_FRAMES, Beeps

RATE, HOP = 16_000, 256
A5 = 81 - LOWEST_KEY
PERIOD = 9_600
TONE = Tone(hz=880.0, step=0.2, length=960.0, clicks=False)


def trains(ends: list[int]) -> BeepTrains:
    made = BeepTrains(RATE)
    for end in ends:
        made.add(A5, end, TONE)
    return made


def test_even_beeps_are_predicted_and_two_or_uneven_ones_are_not() -> None:
    even = [PERIOD * n for n in range(1, LEAST_BEEPS + 1)]
    assert trains(even).expected(A5, even[-1] + PERIOD - 300, even[-1] + PERIOD + 300) == (even[-1] + PERIOD, TONE)
    assert trains(even).expected(A5, even[-1] + 2_000, even[-1] + 6_000) is None
    assert trains(even[:-1]).expected(A5, even[-1] - 300, even[-1] + 300) is None
    assert trains([9_600, 19_200, 24_000]).expected(A5, 28_500, 29_100) is not None, "one beep was covered by a stroke"
    assert trains([9_600, 19_200, 26_000]).expected(A5, 32_500, 36_500) is None
    assert trains(even).expected(A5 + 1, even[-1] + PERIOD - 300, even[-1] + PERIOD + 300) is None


def test_beeps_that_are_missing_are_bridged() -> None:
    made = trains([PERIOD * n for n in (1, 2, 4, 5)])
    end = 12 * PERIOD
    expected = made.expected(A5, end - 300, end + 300)
    assert expected is not None and abs(expected[0] - end) <= 2
    assert made.expected(A5, 60 * PERIOD - 300, 60 * PERIOD + 300) is None


@pytest.mark.parametrize(("strikes", "beeps"), [(False, True), (True, False)])
def test_a_beep_over_a_tone_of_its_pitch_is_known_and_a_stroke_there_is_a_note(strikes: bool, beeps: bool) -> None:
    """A tone that rings from before hides the end of a beep. A loud tone that begins with the beep is a stroke."""
    found, t = Beeps(RATE, HOP), np.arange(5 * RATE) / RATE
    beep = np.zeros(len(t))
    starts = [round((0.5 + 0.6 * n) * RATE) for n in range(6)]
    for start in starts:
        beep[start : start + 960] = 0.2 * np.sin(2 * np.pi * 883.0 * t[:960])
    rings = 0.15 * np.sin(2 * np.pi * 880.0 * t) * (t > (3.5 if strikes else 3.2)) * np.exp(-0.5 * t)
    rings *= 16.0 if strikes else 6.0
    verdicts = []
    for end in range(HOP, 4 * RATE, HOP):
        found.step((beep + rings)[end - HOP : end].astype(np.float32))
        for start in starts:
            if (end - start) // HOP == WATCHED_FRAMES:
                verdicts.append(found.is_beep(A5, WATCHED_FRAMES))
    assert verdicts == [True] * 5 + [beeps]
