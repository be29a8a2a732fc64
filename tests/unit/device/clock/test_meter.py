"""Metres and their grids."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.clock.meter import Meter
from device.clock.played import PlayedSteps
from device.clock.step import Step
from device.errors import UserError
from device.following.rhythm import rhythm_of


@pytest.mark.parametrize(
    ("text", "steps_per_bar", "beats_per_bar", "beat_quarters"),
    [
        ("2/4", 8, 2, Fraction(1)),
        ("3/4", 12, 3, Fraction(1)),
        ("4/4", 16, 4, Fraction(1)),
        ("6/8", 12, 2, Fraction(3, 2)),
        ("5/4", 20, 5, Fraction(1)),
        ("7/8", 14, 7, Fraction(1, 2)),
        ("13/16", 26, 13, Fraction(1, 4)),
        ("8/16", 8, 8, Fraction(1, 4)),
        ("2/2", 16, 2, Fraction(2)),
        ("3/2", 24, 3, Fraction(2)),
        ("9/8", 18, 3, Fraction(3, 2)),
        ("12/8", 24, 4, Fraction(3, 2)),
        ("3/8", 6, 3, Fraction(1, 2)),
        ("6/16", 12, 2, Fraction(3, 4)),
    ],
)
def test_bars_divide_into_beats_and_steps(
    text: str, steps_per_bar: int, beats_per_bar: int, beat_quarters: Fraction
) -> None:
    meter = Meter.parse(text)
    assert str(meter) == text
    assert (meter.steps_per_bar, meter.beats_per_bar) == (steps_per_bar, beats_per_bar)
    assert meter.beat_quarters == beat_quarters
    assert meter.step_quarters * meter.steps_per_bar == Fraction(4 * meter.beats, meter.beat_type)


@pytest.mark.parametrize("text", ["2/4", "3/4", "4/4", "6/8"])
def test_the_listed_metres_need_no_warning(text: str) -> None:
    assert Meter.parse(text).warning is None


@pytest.mark.parametrize(
    ("signed", "played"),
    [
        *(("12/8", "6/8"), ("3/8", "6/8"), ("6/16", "6/8"), ("12/16", "6/8"), ("2/2", "4/4"), ("4/2", "4/4")),
        *(
            ("1/2", "2/4"),
            ("3/2", "2/4"),
            ("6/2", "2/4"),
            ("9/8", "9/8"),
            ("5/4", "5/4"),
            ("4/4", "4/4"),
            ("7/8", "7/8"),
            ("1/8", "2/4"),
            ("16/8", "4/4"),
            ("2/16", "2/4"),
            ("8/16", "2/4"),
            ("16/16", "4/4"),
            ("8/32", "2/4"),
        ),
    ],
)
def test_a_metre_is_played_as_the_one_that_divides_it_alike(signed: str, played: str) -> None:
    meter = Meter.parse(signed)
    assert str(meter.played) == played
    whole, part = sorted((meter.steps_per_bar, meter.played.steps_per_bar), reverse=True)
    assert whole % part == 0
    assert (meter.warning is None) == meter.played.listed


def test_any_other_metre_is_warned_of_by_name_with_its_felt_beats() -> None:
    assert "9/8" in (Meter.parse("9/8").warning or "") and "3 beats" in (Meter.parse("9/8").warning or "")
    assert "its one beat a bar" in (Meter.parse("1/4").warning or "")


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("5/8", (3, 2)), ("7/8", (3, 2, 2)), ("10/8", (3, 3, 2, 2)), ("11/8", (3, 3, 3, 2)),
        ("13/16", (3, 3, 3, 2, 2)), ("14/8", (3, 2, 2, 3, 2, 2)), ("7/16", (3, 2, 2)), ("20/16", (3, 3, 2, 2) * 2),
        ("4/4", ()), ("5/4", ()), ("7/4", ()), ("3/8", ()), ("6/8", ()), ("9/8", ()), ("15/16", ()), ("8/8", ()),
        ("1/16", ()), ("16/16", ()),
    ],
)  # fmt: skip
def test_an_uneven_metre_of_short_notes_is_played_in_groups_and_says_so(text: str, groups: tuple[int, ...]) -> None:
    meter = Meter.parse(text)
    assert meter.groups == groups
    if groups:
        assert sum(groups) == meter.beats
        assert meter.warning == f"The metre {text} is played in groups of {' + '.join(map(str, groups))}."


@given(st.integers(1, 64), st.sampled_from([8, 16, 32, 64]))
def test_a_step_of_a_metre_of_short_notes_is_no_less_than_half_a_beat(beats: int, beat_type: int) -> None:
    meter = Meter(beats, beat_type)
    assert 1 <= meter.steps_per_bar <= 2 * beats
    assert sum(meter.groups) in (0, beats) and set(meter.groups) <= {2, 3}


def test_the_steps_of_a_group_are_those_of_half_a_bar_and_two_equal_groups_are_a_bar() -> None:
    meter, steps = Meter.parse("13/16"), PlayedSteps()
    played = [steps.at(Step(i, 0.1 * i, 0.1, i % 26, meter, 1.0)) for i in range(52)]
    assert [step.index for step in played if step.is_bar] == [0, 12, 18, 26, 38, 44]
    assert [str(step.meter) for step in played if step.is_bar] == ["6/8", "6/8", "2/4"] * 2
    assert [step.index for step in played if step.is_beat] == [0, 6, 12, 18, 22, 26, 32, 38, 44, 48]


@given(
    st.integers(1, 64),
    st.sampled_from([1, 2, 4, 8, 16, 32, 64]),
    st.integers(0, 63),
    st.lists(st.booleans(), max_size=9),
)
def test_played_steps_run_through_whole_played_bars(
    beats: int, beat_type: int, pickup: int, skipped: list[bool]
) -> None:
    meter, played = Meter(beats, beat_type), PlayedSteps()
    bar = meter.steps_per_bar
    signed = [Step(i, 0.1 * i, 0.1, (i + pickup) % bar, meter, 1.0) for i in range(3 * bar + 20)]
    kept = [step for step, gone in zip(signed, [*skipped, *[False] * len(signed)], strict=False) if not gone]
    positions = [(step.index, played.at(step)) for step in kept]
    if meter.groups:
        assert {str(step.meter) for _, step in positions} <= {"6/8", "2/4"}
        assert all(0 <= step.position < step.meter.steps_per_bar for _, step in positions)
        return
    assert {step.meter for _, step in positions} == {meter.played}
    places = {(step.position - index) % meter.played.steps_per_bar for index, step in positions}
    assert bar <= 9 or len(places) == 1


@given(st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_every_metre_has_a_rhythm_of_its_own_size(beats: int, beat_type: int) -> None:
    meter = Meter(beats, beat_type)
    rhythm = rhythm_of(meter)
    assert {len(table) for table in (rhythm.onset, rhythm.next, rhythm.interval, rhythm.chord)} == {meter.steps_per_bar}
    assert rhythm.onset.sum() == pytest.approx(1.0) and np.allclose(rhythm.next.sum(axis=2), 1.0, atol=0.02)


@pytest.mark.parametrize("text", ["", "4", "4/", "0/4", "4/0", "4/5", "-3/4", "4/4/4", "3.5/4", "4/128", "999/4"])
def test_what_is_no_metre_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UserError, match="is not a metre"):
        Meter.parse(text)
