"""The left hand ends with the player: with a held chord, at a fermata together, and after a rest it listens first.

The shipped left hand plays in a real engine, at 120 quarters a minute.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.clock.fixed_clock import FixedClock
from device.clock.meter import Meter
from device.engine import Engine
from device.events import Send
from device.files.midi_run import play_midi
from device.left_hand.activity import RING_BEATS, STOP_BEATS
from device.settings.choices import STYLES, Steering
from tests.unit.helpers.plays import BEAT_S, HOP_S, TEMPO, TICKS, Struck, fresh_left_hand, let_go, midi

STEP_S = BEAT_S / 4
TUNE = ((0, 1, 0), (1, 0.5, 4), (1.5, 0.5, 7), (2, 1, 12), (3, 1, 7))
ROOTS = (60, 65, 67, 60)


def bars(number: int, first: int = 0) -> list[Struck]:
    """Return bars of a tune in C, broken into quarters and eighths."""
    return [
        (round((4 * bar + place) * TICKS), round(length * TICKS) - 20, ROOTS[bar % 4] + 12 + above)
        for bar in range(first, first + number)
        for place, length, above in TUNE
    ]


def sent(folder: Path, struck: list[Struck], style: str = "auto") -> list[Send]:
    """Return what the left hand sends to this right hand."""
    _, part = midi(folder / "right.mid", struck)
    hand = fresh_left_hand()
    hand.steering = Steering(style)  # type: ignore[arg-type]
    try:
        return play_midi(Engine(clock=FixedClock(TEMPO, Meter(4, 4)), player=hand), part, HOP_S).sends
    finally:
        hand.steering = Steering()


def notes(sends: list[Send]) -> list[tuple[float, float, int]]:
    """Return (on, off, pitch) in beats of every note sent, ordered by onset."""
    assert let_go(sends)
    down: dict[int, float] = {}
    found = []
    for send in sorted(sends, key=lambda s: (s.due_s, s.kind == "note_on")):
        if send.kind == "note_on":
            down[send.pitch] = send.due_s
        elif send.kind == "note_off":
            found.append((down.pop(send.pitch) / BEAT_S, send.due_s / BEAT_S, send.pitch))
    assert not down
    return sorted(found)


def on_a_beat(beats: float) -> bool:
    return abs(beats - round(beats)) < 0.01


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("after", [1, 2, 3, 4, 5])
def test_when_the_player_stops_the_left_hand_ends_with_a_held_chord(tmp_path: Path, after: int, style: str) -> None:
    struck = [*bars(6), *bars(1, 6)[:after]]
    stopped = (struck[-1][0] + struck[-1][1]) / TICKS
    played = notes(sent(tmp_path, struck, style))
    last = [note for note in played if note[0] == played[-1][0]]
    begins = last[0][0]
    assert on_a_beat(begins) and stopped < begins <= stopped + STOP_BEATS + 1
    assert len(last) == 1 if style == "bass" else len(last) >= 2
    assert all(off - on >= RING_BEATS - 1 for on, off, _ in last)
    assert all(off <= begins for on, off, _ in played if on < begins), "a figure goes on under the last chord"
    assert max(off for _, off, _ in played) <= stopped + STOP_BEATS + RING_BEATS + 1


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_chord_that_was_just_struck_becomes_the_last_chord_and_is_not_struck_again(
    tmp_path: Path, after: int
) -> None:
    struck = [*bars(6), *bars(1, 6)[:after]]
    stopped = (struck[-1][0] + struck[-1][1]) / TICKS
    played = notes(sent(tmp_path, struck, "block"))
    last = [note for note in played if note[0] > stopped]
    assert len(last) >= 2 and len({on for on, _, _ in last}) == 1
    assert all(off - on >= RING_BEATS for on, off, _ in last)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.integers(5, 14), after=st.integers(1, 5))
def test_after_a_rest_it_listens_a_beat_or_two_and_enters_on_a_beat(tmp_path: Path, rest: int, after: int) -> None:
    first = [*bars(5), *bars(1, 5)[:after]]
    stopped = (first[-1][0] + first[-1][1]) / TICKS
    back = int(stopped) + rest
    again = [(at - 24 * TICKS + back * TICKS, length, pitch) for at, length, pitch in bars(4, 6)]
    played = notes(sent(tmp_path, first + again))
    assert not [on for on, _, _ in played if stopped + STOP_BEATS + 1 < on < back + 1]
    entered = min(on for on, _, _ in played if on >= back)
    assert on_a_beat(entered) and back + 1 <= entered <= back + 2


def test_a_rest_of_two_beats_does_not_stop_the_music(tmp_path: Path) -> None:
    tune = [note for note in bars(12) if note[0] // TICKS not in (22, 23, 34, 35)]
    played = notes(sent(tmp_path, tune))
    assert all(any(beat <= on < beat + 2 for on, _, _ in played) for beat in range(8, 46))


@pytest.mark.parametrize("beats", [6, 9, 14])
@pytest.mark.parametrize("style", ["auto", "block", "arpeggio"])
def test_at_a_fermata_on_the_last_chord_both_hands_end_together(tmp_path: Path, beats: int, style: str) -> None:
    struck = [*bars(7), *((28 * TICKS, beats * TICKS, pitch) for pitch in (67, 72))]
    played = notes(sent(tmp_path, struck, style))
    begins = played[-1][0]
    last = [note for note in played if note[0] == begins]
    assert 28 <= begins <= 33 and len(last) >= 2
    assert {pitch % 12 for _, _, pitch in last} <= {0, 4, 7}
    assert all(abs(off - (28 + beats)) < 1.0 for _, off, _ in last)
    assert all(28 + beats <= off for _, off, _ in last)


def test_a_key_that_never_goes_up_does_not_hold_the_left_hand_for_ever(tmp_path: Path) -> None:
    struck = [*bars(7), (28 * TICKS, 60 * TICKS, 72)]
    assert max(off for _, off, _ in notes(sent(tmp_path, struck))) < 28 + 40


def test_when_the_player_goes_on_before_the_last_chord_the_music_goes_on(tmp_path: Path) -> None:
    tune = [note for note in bars(10) if not 21.4 * TICKS < note[0] < 23 * TICKS]
    played = notes(sent(tmp_path, tune))
    assert any(24 <= on < 26 for on, _, _ in played)
