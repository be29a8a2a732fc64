"""Foot switches and pedals of every kind: each press counts once, and a hold lasts as long as the foot is down."""

from __future__ import annotations

import json
import re
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.settings.controls import Arm, Density, Hold, Tap
from tests.unit.helpers.switches import asked, cc, controls, key


def test_a_pedal_acts_once_for_each_press() -> None:
    assert asked(controls(arm="cc 66"), cc(66, 127), cc(66, 0), cc(66, 10), cc(66, 64), cc(66, 64)) == [Arm(), Arm()]


def test_a_message_that_is_repeated_at_once_is_no_press() -> None:
    made = controls(arm="cc 66")
    assert [made.actions(cc(66, value), at_s) for value, at_s in ((127, 1.0), (127, 1.02), (0, 1.5), (0, 1.51))] == [
        [Arm()],
        [],
        [],
        [],
    ]


PEDALS: dict[str, list[int]] = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "pedals.json").read_text(encoding="utf-8")
)
"""The values that each kind of switch sends for the presses that its name gives."""
WORDS = {"latching": " latching", "inverted, up": " inverted", "inverted, rests": ""}
"""Words that the settings need for the switches whose values do not show their kind. The others need no word."""
NUMBERS = {"one": 1, "two": 2, "three": 3}


def presses(name: str) -> int:
    """Return the number of presses that the name of a case gives. A pedal that breathes at the half has none."""
    found = re.search(r"(one|two|three)(?: slow)? press", name)
    return NUMBERS[found[1]] if found else NUMBERS[name.rsplit(", ", 1)[1].split()[0]] if "presses" in name else 0


@pytest.mark.parametrize("name", PEDALS)
def test_every_press_of_every_kind_of_switch_counts_once(name: str) -> None:
    word = next((word for begin, word in WORDS.items() if name.startswith(begin)), "")
    taps = asked(controls(tap=f"cc 80{word}"), *(cc(80, value) for value in PEDALS[name]))
    assert taps == [Tap()] * presses(name)


@pytest.mark.parametrize("word", ["", " inverted"])
def test_an_inverted_pedal_holds_while_the_foot_is_down(word: str) -> None:
    made = controls(hold=f"cc 80{word}")
    timed = [made.actions(cc(80, value), at_s) for value, at_s in ((0, 1.0), (127, 1.5), (0, 9.0), (127, 9.5))]
    assert timed == [[Hold(True)], [Hold(False)], [Hold(True)], [Hold(False)]]


def test_a_release_that_comes_first_does_not_turn_a_switch_round() -> None:
    made = controls(hold="cc 80")
    made.actions(cc(80, 0), 1.0)
    assert [made.actions(cc(80, value), at_s) for value, at_s in ((127, 9.0), (0, 9.5))] == [
        [Hold(True)],
        [Hold(False)],
    ]


def test_a_contact_that_bounces_is_one_press_and_holds_as_long_as_the_foot_is_down() -> None:
    taps, holds = controls(tap="cc 80"), controls(hold="cc 80")
    counted, states, at_s = 0, list[bool](), 1.0
    for _ in range(3):
        for value, later_s in ((127, 0.4), (0, 0.003), (127, 0.004), (0, 0.3), (127, 0.003), (0, 0.004)):
            at_s += later_s
            counted += len(taps.actions(cc(80, value), at_s))
            states += [action.on is True for action in holds.actions(cc(80, value), at_s) if isinstance(action, Hold)]
    assert counted == 3
    assert states == [True, False] * 9


def test_a_latching_contact_that_bounces_is_one_press_each_way() -> None:
    taps, holds = controls(tap="cc 80 latching"), controls(hold="cc 80 latching")
    counted, states, at_s = 0, list[bool | None](), 1.0
    for value, later_s in ((127, 0.4), (0, 0.003), (127, 0.004), (0, 0.3), (127, 0.003), (0, 0.004)) * 3:
        at_s += later_s
        counted += len(taps.actions(cc(80, value), at_s))
        states += [action.on for action in holds.actions(cc(80, value), at_s) if isinstance(action, Hold)]
    assert counted == 6
    assert states == [True, False] * 3


def test_two_quick_presses_of_a_foot_are_two() -> None:
    made = controls(tap="cc 80")
    timed = [made.actions(cc(80, value), at_s) for value, at_s in ((127, 1.0), (0, 1.06), (127, 1.12), (0, 1.2))]
    assert timed == [[Tap()], [], [Tap()], []]


def test_a_pedal_that_rests_at_small_values_is_not_turned_round() -> None:
    made = controls(hold="cc 80")
    values = ((0, 1.0), (1, 1.2), (0, 1.4), (2, 1.6), (127, 2.0), (1, 2.5), (127, 3.0))
    timed = [made.actions(cc(80, value), at_s) for value, at_s in values]
    assert timed[1:] == [[], [], [], [Hold(True)], [Hold(False)], [Hold(True)]]


def test_the_zero_that_a_keyboard_sends_when_it_starts_is_no_press() -> None:
    assert asked(controls(arm="cc 64"), cc(64, 0), cc(64, 0), cc(64, 127), cc(64, 0)) == [Arm()]


def test_a_latching_switch_holds_while_it_is_on_and_one_of_a_fixed_value_turns_the_hold_over() -> None:
    assert asked(controls(hold="cc 80 latching"), cc(80, 127), cc(80, 0)) == [Hold(True), Hold(False)]
    assert asked(controls(hold="cc 80"), cc(80, 127), cc(80, 127), cc(80, 127)) == [Hold(True), Hold(), Hold()]


def test_a_pad_that_latches_and_a_knob_that_is_inverted() -> None:
    off = mido.Message("note_off", note=21)
    assert asked(controls(tap="note 21 latching"), key(21), off, key(21)) == [Tap()] * 3
    assert asked(controls(density="cc 20 channel 1 inverted"), cc(20, 0), cc(20, 127)) == [Density(2.0), Density(0.25)]


def test_the_same_controller_of_two_channels_is_two_switches() -> None:
    made = controls(tap="cc 80")
    assert asked(made, cc(80, 127), cc(80, 127, 1), cc(80, 0), cc(80, 0, 1)) == [Tap(), Tap()]


@pytest.mark.parametrize("channels", [(0, 1), (0, 2, 3, 4, 5)])
@pytest.mark.parametrize("action", ["arm", "tap", "style"])
def test_a_press_that_is_sent_on_several_channels_counts_once(action: str, channels: tuple[int, ...]) -> None:
    def counted(text: str, *messages: tuple[float, mido.Message]) -> int:
        made = controls(**{action: text})
        return sum(len(made.actions(message, at_s + 0.003 * i)) for i, (at_s, message) in enumerate(messages))

    pedal = [
        (at_s, cc(64, value, channel)) for at_s, value in ((1.0, 127), (1.3, 0), (2.0, 127)) for channel in channels
    ]
    assert counted("cc 64", *pedal) == 2
    assert counted("note 36", *((at_s, key(36, 70, channel)) for at_s in (1.0, 2.0) for channel in channels)) == 2
    program = [(1.0, mido.Message("program_change", program=4, channel=channel)) for channel in channels]
    assert counted("program 5", *program) == 1


def test_a_pedal_on_two_channels_holds_while_it_is_down() -> None:
    made = controls(hold="cc 64")
    sent = [(1.0, 127, 0), (1.003, 127, 1), (2.0, 0, 0), (2.003, 0, 1)]
    assert [made.actions(cc(64, value, channel), at_s) for at_s, value, channel in sent] == [
        [Hold(True)],
        [],
        [Hold(False)],
        [],
    ]


def test_a_pad_that_strikes_twice_at_one_hit_counts_once() -> None:
    made = controls(tap="note 36")
    timed = [made.actions(key(36), at_s) for at_s in (1.0, 1.02, 1.3, 1.36)]
    assert timed == [[Tap()], [], [Tap()], [Tap()]]


@given(kind=st.sampled_from(["", " inverted"]), values=st.lists(st.integers(49, 79), max_size=30))
def test_a_pedal_that_trembles_at_the_half_presses_nothing(kind: str, values: list[int]) -> None:
    # as a first value, the half itself is what some switches send at every press
    rest = values[next((i for i, value in enumerate(values) if value not in (63, 64)), len(values)) :]
    assert asked(controls(tap=f"cc 66{kind}"), *(cc(66, value) for value in rest)) == []


def test_a_switch_that_sends_the_half_at_every_press_counts_each() -> None:
    made = controls(tap="cc 66")
    assert [made.actions(cc(66, 64), at_s) for at_s in (1.0, 1.5, 2.0)] == [[Tap()]] * 3
    assert asked(controls(tap="cc 66"), cc(66, 64), cc(66, 0), cc(66, 64)) == [Tap(), Tap()]


@pytest.mark.parametrize("value", [1, 20, 70, 79])
def test_a_switch_that_sends_one_low_value_at_every_press_counts_from_the_second_press_on(value: int) -> None:
    made = controls(tap="cc 80")
    assert [made.actions(cc(80, value), at_s) for at_s in (1.0, 1.05, 1.5, 2.0)] == [[], [], [Tap()], [Tap()]]


@pytest.mark.parametrize(("down", "up"), [(64, 0), (65, 0), (70, 0), (79, 10), (79, 31)])
def test_the_first_press_of_a_switch_with_a_low_value_counts_too(down: int, up: int) -> None:
    made = controls(tap="cc 80")
    times = (1.0, 1.2, 2.0, 2.2, 3.0, 3.2)
    timed = [made.actions(cc(80, value), at_s) for value, at_s in zip((down, up) * 3, times, strict=True)]
    # a first value above the half may come from a pedal that rests there: its release shows that it was a press
    assert timed == ([[Tap()], [], [Tap()], [], [Tap()], []] if down == 64 else [[], [Tap()], [Tap()], [], [Tap()], []])
    assert asked(controls(tap="cc 80"), cc(80, down), cc(80, up)) == [Tap()]


def test_a_hold_that_only_its_release_shows_does_not_stay() -> None:
    made = controls(hold="cc 80")
    values = ((70, 1.0), (0, 1.2), (70, 2.0), (0, 2.2))
    assert [made.actions(cc(80, value), at_s) for value, at_s in values] == [[], [], [Hold(True)], [Hold(False)]]


@pytest.mark.parametrize(
    "values", [((70, 1.0), (0, 9.0)), ((70, 1.0), (66, 1.1), (0, 1.2)), ((70, 1.0), (50, 1.1), (0, 1.2))]
)
@pytest.mark.parametrize("word", ["", " inverted"])
def test_a_pedal_that_rests_above_the_half_or_falls_in_steps_presses_nothing(
    values: tuple[tuple[int, float], ...], word: str
) -> None:
    made = controls(tap=f"cc 66{word}")
    pressed = [made.actions(cc(66, value), at_s) for value, at_s in values]
    # the end of the way down is the press of an inverted pedal
    assert sum(map(len, pressed)) == (word != "")


def test_a_keyboard_that_sends_the_zero_of_a_controller_twice_presses_nothing() -> None:
    made = controls(tap="cc 66")
    assert [made.actions(cc(66, 0), at_s) for at_s in (1.0, 1.5, 2.0)] == [[]] * 3


@pytest.mark.parametrize("number", [1, 2, 4, 7, 11])
def test_an_expression_pedal_that_begins_at_zero_presses_when_it_goes_down(number: int) -> None:
    made = controls(tap=f"cc {number}")
    values = (0, 3, 20, 45, 70, 100, 127, 90, 40, 0)
    timed = [made.actions(cc(number, value), 1.0 + 0.05 * i) for i, value in enumerate(values)]
    assert [i for i, actions in enumerate(timed) if actions] == [5]


def test_a_switch_that_repeats_its_value_while_it_is_down_counts_once() -> None:
    made = controls(tap="cc 66")
    repeated = [made.actions(cc(66, 127), 1.0 + 0.1 * n) for n in range(20)]
    assert repeated == [[Tap()], *([[]] * 19)] and made.actions(cc(66, 127), 3.5) == [Tap()]


def test_a_pedal_holds_while_it_is_down() -> None:
    assert asked(controls(hold="cc 66"), cc(66, 90), cc(66, 127), cc(66, 0)) == [Hold(True), Hold(False)]


@pytest.mark.parametrize(("down", "up"), [(127, 64), (127, 63), (127, 70), (120, 50), (0, 63), (0, 64)])
def test_a_switch_that_goes_back_to_the_half_presses_each_time(down: int, up: int) -> None:
    word = " inverted" if down < up else ""
    made = controls(arm=f"cc 80{word}", hold=f"cc 80{word}")
    timed = [
        made.actions(cc(80, value), 10 + at_s) for at_s in range(4) for value, at_s in ((down, at_s), (up, at_s + 0.3))
    ]
    assert timed == [[Arm(), Hold(True)], [Hold(False)]] * 4


def test_a_pedal_that_is_eased_above_the_half_and_pressed_again_presses_once() -> None:
    values = [0, 40, 80, 120, 127, 105, 80, 66, 58, 70, 95, 120, 127]
    seldom_read = [0, 60, 120, 127, 66, 120, 127]
    for read, apart_s in ((values, 0.01), (seldom_read, 0.04)):
        made = controls(arm="cc 64", hold="cc 64")
        timed = [made.actions(cc(64, value), 10 + apart_s * i) for i, value in enumerate(read)]
        assert [action for actions in timed for action in actions] == [Arm(), Hold(True)]
