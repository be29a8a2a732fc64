"""Constants of the device tried with other values."""

from __future__ import annotations

import pytest

from device import lefthand
from device.errors import UserError
from training.constants import HAND, changed


def test_a_constant_has_another_value_for_a_while() -> None:
    likely, most = lefthand.LIKELY, lefthand.MOST_UPPER
    with changed(["LIKELY=0.31", "MOST_UPPER=3"], HAND):
        assert lefthand.LIKELY == 0.31
        assert lefthand.MOST_UPPER == 3 and isinstance(lefthand.MOST_UPPER, int)
    assert (likely, most) == (lefthand.LIKELY, lefthand.MOST_UPPER)


def test_a_constant_is_as_before_after_an_error() -> None:
    likely = lefthand.LIKELY
    with pytest.raises(ZeroDivisionError), changed(["LIKELY=0.9"], HAND):
        raise ZeroDivisionError
    assert likely == lefthand.LIKELY


@pytest.mark.parametrize("change", ["LIKEY=0.3", "LIKELY", "LIKELY=much", "STYLES=3"])
def test_what_is_no_constant_or_no_number_is_refused_by_its_name(change: str) -> None:
    with pytest.raises(UserError, match=change.partition("=")[0]), changed([change], HAND):
        pass
