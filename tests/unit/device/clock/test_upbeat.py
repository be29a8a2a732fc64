"""Music that begins with an upbeat: the bar lines are right with the option, or where the counts show it."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest

from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.clock.step import Clock, Step
from device.clock.upbeat import beats_to_bar, upbeat_of_counts
from device.errors import UserError
from device.files.midi.file import read_midi
from device.following.follow_clock import FollowClock
from device.make_clock import make_clock

FOUR = Meter(4, 4)
BEAT_S, TICKS = 0.6, 480
BAR = ((0.0, 60), (1.0, 67), (1.5, 65), (2.0, 64), (3.0, 62))
"""(place in beats, key) of the notes of a bar."""


def music(first_bar_s: float, upbeat: float, bars: int = 10) -> list[tuple[float, int]]:
    """(time, key): notes in the upbeat, then bars. Only the first begins with a lower octave."""
    before = [(first_bar_s - upbeat * BEAT_S, 67)]
    return before + [
        (first_bar_s + (4 * bar + place) * BEAT_S, key + (bar % 3)) for bar in range(bars) for place, key in BAR
    ]


def counts(number: int) -> list[tuple[float, int]]:
    return [(1.0 + i * BEAT_S, 72) for i in range(number)]


def steps_of(clock: Clock, notes: list[tuple[float, int]], end_s: float) -> list[Step]:
    waiting, steps = list(notes), list[Step]()
    for now_s in np.arange(0.0, end_s, 0.016).tolist():
        while waiting and waiting[0][0] <= now_s:
            onset_s, key = waiting.pop(0)
            clock.hear(onset_s, now_s, key)
        while (step := clock.due(now_s)) is not None:
            steps.append(step)
    return steps


def bars_of(steps: list[Step], from_s: float = 0.0) -> list[float]:
    return [step.time_s for step in steps if step.is_bar and step.time_s > from_s]


def on_bars(times_s: list[float], first_bar_s: float) -> bool:
    """Whether each time is within 70 ms of a bar line."""
    places = (np.array(times_s) - first_bar_s) / (4 * BEAT_S)
    return len(times_s) > 4 and bool((np.abs(places - np.rint(places)) * 4 * BEAT_S < 0.07).all())


@pytest.mark.parametrize("mode", ["follow", "fixed"])
@pytest.mark.parametrize(("number", "upbeat"), [(7, 1.0), (3, 1.0), (4, 1.0), (4, 0.5), (6, 2.0), (4, 0.0)])
def test_after_a_count_in_the_bar_begins_after_the_upbeat(mode: str, number: int, upbeat: float) -> None:
    first_bar_s = 1.0 + (number - 1 + beats_to_bar(upbeat)) * BEAT_S
    notes = [*counts(number), *music(first_bar_s, upbeat)]
    tempo = 100.0 if mode == "fixed" else None
    clock = make_clock(mode, tempo, number, FOUR, upbeat=upbeat)  # type: ignore[arg-type]
    steps = steps_of(clock, notes, notes[-1][0])
    assert on_bars(bars_of(steps), first_bar_s)
    assert steps[0].time_s == pytest.approx(1.0 + number * BEAT_S, abs=0.05)


@pytest.mark.parametrize("mode", ["follow", "fixed"])
def test_seven_counts_mean_an_upbeat_of_one_beat(mode: str) -> None:
    first_bar_s = 1.0 + 8 * BEAT_S
    notes = [*counts(7), *music(first_bar_s, 1.0)]
    clock = make_clock(mode, 100.0 if mode == "fixed" else None, 7, FOUR)  # type: ignore[arg-type]
    assert on_bars(bars_of(steps_of(clock, notes, notes[-1][0])), first_bar_s)


def test_an_automatic_count_in_goes_on_while_its_key_is_struck() -> None:
    first_bar_s = 1.0 + 8 * BEAT_S
    notes = [*counts(7), *music(first_bar_s, 1.0)]
    steps = steps_of(FollowClock(FOUR, upbeat=1.0), notes, notes[-1][0])
    assert on_bars(bars_of(steps, first_bar_s - 0.1), first_bar_s)


def test_without_a_count_in_the_first_note_is_the_upbeat() -> None:
    notes = music(1.6, 1.0)
    fixed = steps_of(FixedClock(100.0, FOUR, upbeat=1.0), notes, notes[-1][0])
    assert on_bars(bars_of(fixed), 1.6)
    half = steps_of(FixedClock(100.0, FOUR, upbeat=0.5), music(1.3, 0.5), notes[-1][0])
    assert on_bars(bars_of(half), 1.3)
    following = steps_of(FollowClock(FOUR, count_in=0, upbeat=1.0), notes, notes[-1][0])
    assert on_bars(bars_of(following, 8.0), 1.6)


def test_taps_begin_a_bar_in_spite_of_an_upbeat() -> None:
    clock = FollowClock(FOUR, count_in=0, upbeat=1.0)
    for i in range(4):
        clock.tap(1.0 + 0.5 * i)
    assert next(step for step in steps_of(clock, [], 6.0) if step.is_beat).is_bar


def save(path: Path, notes: list[tuple[float, int]]) -> Path:
    """Write notes, with times in beats, under 4/4 at 100 quarters a minute."""
    track, last = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=600_000)]), 0
    for beat, key in notes:
        track.append(mido.Message("note_on", note=key, velocity=70, time=round(beat * TICKS) - last))
        track.append(mido.Message("note_off", note=key, time=200))
        last = round(beat * TICKS) + 200
    mido.MidiFile(tracks=[track], ticks_per_beat=TICKS).save(path)
    return path


@pytest.mark.parametrize(("number", "count_in"), [(0, None), (7, None), (7, 7), (3, 3)])
@pytest.mark.parametrize("upbeat", [1.0, 0.5])
def test_the_bar_lines_of_a_file_move_with_the_upbeat(
    tmp_path: Path, number: int, count_in: int | None, upbeat: float
) -> None:
    first_bar = number - 1 + beats_to_bar(upbeat) if number else upbeat
    notes = [*((float(i), 72) for i in range(number)), *((at / BEAT_S, key) for at, key in music(0.0, upbeat))]
    notes = [(beat + (first_bar if i >= number else 0), key) for i, (beat, key) in enumerate(notes)]
    source = read_midi(save(tmp_path / "upbeat.mid", notes))
    clock = make_clock("file", count_in=count_in, file=source, upbeat=upbeat)
    heard = [(beat * BEAT_S, key) for beat, key in notes]
    assert on_bars(bars_of(steps_of(clock, heard, 30.0)), first_bar * BEAT_S)


def test_a_file_without_the_option_keeps_its_bar_lines(tmp_path: Path) -> None:
    source = read_midi(save(tmp_path / "plain.mid", [(at / BEAT_S, key) for at, key in music(0.6, 1.0)]))
    assert on_bars(bars_of(steps_of(make_clock("file", file=source), [], 20.0)), 0.0)


def test_an_upbeat_out_of_range_is_refused() -> None:
    with pytest.raises(UserError, match="0 to 16"):
        make_clock("follow", upbeat=17.0)


def test_counts_suggest_an_upbeat_only_beyond_a_bar() -> None:
    assert [upbeat_of_counts(number, 4) for number in (1, 2, 3, 4, 5, 7, 8)] == [0, 0, 0, 0, 0, 1, 0]
    assert [upbeat_of_counts(number, 3) for number in (3, 4, 5, 6)] == [0, 0, 1, 0]
