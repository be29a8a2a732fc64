"""Requests of the control socket: what is understood, and what is refused with which sentence."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.control.protocol import (
    DOES,
    LONGEST_LINE,
    Ask,
    Do,
    RequestError,
    Reset,
    Set,
    Subscribe,
    line_of,
    moments_line,
    parsed,
)
from device.settings.controls import Arm, CountAgain, Density, Hold, HoldTempo, Panic, Register, Restyle, Tap
from device.status.moments import MOST_MOMENTS, Moment, Moments


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ('{"id": 1, "do": "arm"}', Do(Arm())),
        ('{"id": 1, "do": "arm", "value": false}', Do(Arm(False))),
        ('{"id": 1, "do": "hold", "value": true}', Do(Hold(True))),
        ('{"id": 1, "do": "hold-tempo", "value": true}', Do(HoldTempo(True))),
        ('{"id": 1, "do": "hold-tempo"}', Do(HoldTempo())),
        ('{"id": 1, "do": "panic"}', Do(Panic())),
        ('{"id": 1, "do": "tap"}', Do(Tap())),
        ('{"id": 1, "do": "count-in"}', Do(CountAgain())),
        ('{"id": 1, "do": "style"}', Do(Restyle())),
        ('{"id": 1, "do": "style", "value": "oom-pah"}', Do(Restyle("oom-pah"))),
        ('{"id": 1, "do": "density", "value": 2}', Do(Density(2.0))),
        ('{"id": 1, "do": "register", "value": -12}', Do(Register(-12))),
        ('{"id": 1, "set": {"play": {"style": "bass"}, "clock": {"tempo": null}}}',
         Set({"play": {"style": "bass"}, "clock": {"tempo": None}})),
        ('{"id": 1, "settings": true}', Ask()),
        ('{"id": 1, "reset": true}', Reset()),
        ('{"id": 1, "watch": true}', Subscribe(True)),
        ('{"id": 1, "watch": false}', Subscribe(False)),
    ],
)  # fmt: skip
def test_a_request_is_understood(text: str, request_: object) -> None:
    assert parsed(text.encode()) == (1, request_)


@pytest.mark.parametrize(
    ("text", "number", "words"),
    [
        ("", None, "one line with a JSON object"),
        ("[1]", None, "one line with a JSON object"),
        ("[" * 5000, None, "one line with a JSON object"),
        ('{"do": "arm"}', None, '"id": 1'),
        ('{"id": true, "do": "arm"}', None, '"id": 1'),
        ('{"id": "1", "do": "arm"}', None, '"id": 1'),
        ('{"id": 1e999, "do": "arm"}', None, '"id": 1'),
        ('{"id": 7}', 7, "one of do, set, settings, reset, watch"),
        ('{"id": 7, "do": "arm", "watch": true}', 7, "one of do"),
        ('{"id": 7, "do": "arm", "loud": 1}', 7, "loud is no part"),
        ('{"id": 7, "watch": true, "value": 1}', 7, "value is no part"),
        ('{"id": 7, "do": "dance"}', 7, "the actions are arm, hold"),
        ('{"id": 7, "do": ["arm"]}', 7, "the actions are arm, hold"),
        ('{"id": 7, "do": "arm", "value": 1}', 7, "true or false"),
        ('{"id": 7, "do": "panic", "value": 1}', 7, "takes no value"),
        ('{"id": 7, "do": "style", "value": "polka"}', 7, "the styles are auto, bass"),
        ('{"id": 7, "do": "style", "value": {}}', 7, "the styles are auto, bass"),
        ('{"id": 7, "do": "density", "value": 2.1}', 7, "give 0.25 to 2"),
        ('{"id": 7, "do": "density", "value": true}', 7, "give 0.25 to 2"),
        ('{"id": 7, "do": "density", "value": NaN}', 7, "give 0.25 to 2"),
        ('{"id": 7, "do": "register", "value": 13}', 7, "give -12 to 12"),
        ('{"id": 7, "do": "register", "value": 0.5}', 7, "whole number"),
        ('{"id": 7, "set": {}}', 7, '"set" needs sections'),
        ('{"id": 7, "set": {"play": 1}}', 7, '"set" needs sections'),
        ('{"id": 7, "set": {"play": {"style": []}}}', 7, "[play] style needs a text"),
        ('{"id": 7, "reset": false}', 7, "needs the value true"),
        ('{"id": 7, "watch": 1}', 7, "needs the value true"),
    ],
)
def test_a_request_is_refused_with_a_sentence(text: str, number: int | None, words: str) -> None:
    with pytest.raises(RequestError) as refused:
        parsed(text.encode())
    assert refused.value.number == number
    assert words in str(refused.value)
    assert len(str(refused.value)) < 300


@given(st.binary(max_size=LONGEST_LINE) | st.text().map(str.encode))
def test_whatever_comes_is_a_request_or_is_refused(line: bytes) -> None:
    with pytest.raises(RequestError):
        parsed(line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([*DOES, "x"]), json_values)
def test_whatever_value_comes_with_an_action_it_is_taken_or_refused(name: str, value: object) -> None:
    line = line_of({"id": 1, "do": name, "value": value})
    try:
        number, request = parsed(line)
    except RequestError as refused:
        assert refused.number == 1
        return
    assert number == 1 and isinstance(request, Do)


def test_moments_carry_their_time_from_now_and_only_the_fields_that_they_have() -> None:
    moments = [
        Moment("played", 10.5, 48, 70),
        Moment("beat", 9.75, beat=0, lock=0.5),
        Moment("chord", 10.0, chord="F#"),
    ]
    assert json.loads(moments_line(moments, 10.0)) == {
        "moments": [
            {"kind": "played", "pitch": 48, "velocity": 70, "in_s": 0.5},
            {"kind": "beat", "beat": 0, "lock": 0.5, "in_s": -0.25},
            {"kind": "chord", "chord": "F#", "in_s": 0.0},
        ]
    }


def test_moments_that_nobody_reads_are_bounded_and_the_newest_stay() -> None:
    moments = Moments()
    for number in range(MOST_MOMENTS + 10):
        moments.add(Moment("heard", float(number)))
    taken = moments.taken()
    assert len(taken) == MOST_MOMENTS and taken[-1].at_s == MOST_MOMENTS + 9
    assert moments.taken() == []


@pytest.mark.parametrize("text", ["a\0b", "a\nb", "\x1b[2J", "\ud800", "\u202eforged"])
@pytest.mark.parametrize("request_", ['"note": %s', '"calibrate": %s', '"set": {"midi": {"heard": %s}}', "%s: true"])
def test_a_text_with_control_characters_is_refused(request_: str, text: str) -> None:
    line = '{"id": 1, ' + request_ % json.dumps(text) + "}"
    with pytest.raises(RequestError, match="one line without control characters") as refused:
        parsed(line.encode())
    assert refused.value.number == 1


def test_every_value_that_a_settings_file_can_hold_becomes_a_line() -> None:
    line = line_of({"values": {"day": date(2027, 1, 2), "text": "a\ud800b"}})
    assert json.loads(line) == {"values": {"day": "2027-01-02", "text": "a?b"}}
