"""Metres and their grids."""

from __future__ import annotations

from fractions import Fraction

import pytest

from device.clock.meter import Meter
from device.errors import UserError


@pytest.mark.parametrize(
    ("text", "steps_per_bar", "beats_per_bar", "beat_quarters"),
    [
        ("2/4", 8, 2, Fraction(1)),
        ("3/4", 12, 3, Fraction(1)),
        ("4/4", 16, 4, Fraction(1)),
        ("6/8", 12, 2, Fraction(3, 2)),
        ("5/4", 20, 5, Fraction(1)),
        ("7/8", 28, 7, Fraction(1, 2)),
        ("2/2", 8, 2, Fraction(2)),
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


def test_any_other_metre_is_warned_of_by_name() -> None:
    assert "9/8" in (Meter.parse("9/8").warning or "")


@pytest.mark.parametrize("text", ["", "4", "4/", "0/4", "4/0", "4/5", "-3/4", "4/4/4", "3.5/4", "4/128", "999/4"])
def test_what_is_no_metre_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UserError, match="is not a metre"):
        Meter.parse(text)
