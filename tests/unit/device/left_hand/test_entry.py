"""When the left hand enters: after a count-in as before, and without one after two bars, on a downbeat.

The shipped left hand plays in a real engine, on the clock that follows, whose count-in is automatic.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from device.clock.meter import Meter
from device.clock.step import Step
from device.engine import Engine
from device.files.midi_run import play_midi
from device.following.follow_clock import FollowClock
from device.left_hand.activity import LEAST_LOCK, LONG_LISTEN_BARS, Activity
from tests.unit.helpers.plays import BEAT_S, HOP_S, TICKS, Struck, fresh_left_hand, midi

ROOTS = (60, 65, 67, 60)
FIGURES = {
    "quarters and eighths": ((0, 1, 0), (1, 0.5, 4), (1.5, 0.5, 7), (2, 1, 12), (3, 1, 7)),
    "half notes": ((0, 2, 0), (2, 1, 7), (3, 1, 4)),
    "dotted": ((0, 1.5, 0), (1.5, 0.5, 4), (2, 1.5, 7), (3.5, 0.5, 4)),
}


def bars(number: int, figure: str, first: int = 0) -> list[Struck]:
    return [
        (round((4 * bar + place) * TICKS), round(length * TICKS) - 20, ROOTS[bar % 4] + 12 + above)
        for bar in range(first, first + number)
        for place, length, above in FIGURES[figure]
    ]


def entered(folder: Path, struck: list[Struck], count_in: int | None = None) -> tuple[float, list[float], list[float]]:
    """Return the beat of the left hand's first note, the beats told as bars before it, and their lock."""
    _, part = midi(folder / "right.mid", struck)
    performance = play_midi(Engine(clock=FollowClock(Meter(4, 4), count_in), player=fresh_left_hand()), part, HOP_S)
    first_s = min(send.due_s for send in performance.sends if send.kind == "note_on")
    told = [beat for beat in performance.beats if beat.position == 0]
    return (
        first_s / BEAT_S,
        [beat.time_s / BEAT_S for beat in told],
        [beat.lock for beat in told if beat.time_s <= first_s],
    )


@pytest.mark.parametrize("figure", FIGURES)
def test_without_a_count_in_it_listens_for_two_bars_and_enters_on_a_beat_of_the_clock(
    tmp_path: Path, figure: str
) -> None:
    first, told_bars, lock = entered(tmp_path, bars(16, figure))
    assert first >= 7.8
    bar_beats = told_bars[1] - told_bars[0]
    assert first <= (LONG_LISTEN_BARS + 1) * max(bar_beats, 4)
    assert lock[-1] >= LEAST_LOCK


def on_the_grid(position: int, lock: float, bars_heard: float) -> bool:
    """Whether the left hand is silent at this position after so many bars without a count-in."""
    activity, meter = Activity(), Meter(4, 4)
    step = Step(0, 0.0, 0.125, 0, meter, lock, counted=False)
    activity.at(step, True, True, 0.0, 0.0)
    for i in range(1, round(16 * bars_heard)):
        activity.at(Step(i, 0.125 * i, 0.125, 1, meter, lock, counted=False), True, True, 0.0)
    return activity.at(Step(999, 99.0, 0.125, position, meter, lock, counted=False), True, True, 0.0)


def test_it_enters_on_a_bar_after_two_bars_on_a_beat_a_little_later_and_with_a_lost_beat_after_four() -> None:
    assert on_the_grid(0, 0.6, 1.5) and not on_the_grid(0, 0.6, 2.0)
    assert on_the_grid(4, 0.6, 2.1) and not on_the_grid(4, 0.6, 2.5)
    assert on_the_grid(0, 0.1, 3.0) and not on_the_grid(0, 0.1, 4.0)
    assert on_the_grid(2, 0.6, 6.0)


def test_where_the_clock_has_the_beat_that_is_a_downbeat_of_the_music_within_five_bars(tmp_path: Path) -> None:
    first, _, lock = entered(tmp_path, bars(16, "dotted"))
    assert abs(first - 4 * round(first / 4)) < 0.2
    assert 7.8 <= first <= 20 and lock[-1] > 0.5


def test_four_even_notes_on_one_key_are_a_count_in(tmp_path: Path) -> None:
    counts = [(beat * TICKS, TICKS - 20, 79) for beat in range(4)]
    first, told_bars, _ = entered(tmp_path, [*counts, *bars(12, "quarters and eighths", 1)])
    assert told_bars[0] == pytest.approx(4, abs=0.1)
    assert 7.8 <= first <= 10.1, "on the bar line or on the half of the bar"


def test_four_even_notes_on_several_keys_are_music(tmp_path: Path) -> None:
    """The first bar of this tune is four quarters: it is heard, and the left hand enters after two bars."""
    opening = [(beat * TICKS, TICKS - 20, key) for beat, key in enumerate((72, 76, 79, 84))]
    first, told_bars, _ = entered(tmp_path, [*opening, *bars(15, "quarters and eighths", 1)])
    assert told_bars[0] > 3.8
    assert 7.8 <= first <= 24
