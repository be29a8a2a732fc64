"""Constants of the device tried with other values."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from device.errors import UserError
from device.following import bank, leaders
from device.left_hand import tone_choice
from training.playing_figures.constants import CLOCK, HAND, changed, modules_of


def test_a_constant_has_another_value_for_a_while() -> None:
    likely, most = tone_choice.LIKELY, tone_choice.MOST_UPPER
    with changed(["LIKELY=0.31", "MOST_UPPER=3"], HAND):
        assert tone_choice.LIKELY == 0.31
        assert tone_choice.MOST_UPPER == 3 and isinstance(tone_choice.MOST_UPPER, int)
    assert (likely, most) == (tone_choice.LIKELY, tone_choice.MOST_UPPER)


def test_a_constant_is_as_before_after_an_error() -> None:
    likely = tone_choice.LIKELY
    with pytest.raises(ZeroDivisionError), changed(["LIKELY=0.9"], HAND):
        raise ZeroDivisionError
    assert likely == tone_choice.LIKELY


def test_a_constant_of_two_files_is_named_with_its_file() -> None:
    in_leaders, in_bank = leaders.SAME_TEMPO, bank.SAME_TEMPO
    assert in_leaders != in_bank
    names = [f"{module.__name__.rpartition('.')[2]}.SAME_TEMPO" for module in (leaders, bank)]
    with pytest.raises(UserError) as refused, changed(["SAME_TEMPO=0.5"], CLOCK):
        pass
    assert all(name in str(refused.value) for name in names)
    with changed([f"{names[1]}=0.5"], CLOCK):
        assert (in_leaders, 0.5) == (leaders.SAME_TEMPO, bank.SAME_TEMPO)
    assert (in_leaders, in_bank) == (leaders.SAME_TEMPO, bank.SAME_TEMPO)


def test_a_package_stands_for_all_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "a_room" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text("")
    (inner / "__init__.py").write_text("")
    (inner.parent / "one.py").write_text("SHARED = 2\nONLY_HERE = 0.5\n")
    (inner / "two.py").write_text("from a_room.one import SHARED\n")
    monkeypatch.syspath_prepend(tmp_path)
    try:
        one, two = modules_of(["a_room"])[::-1]
        assert (one.__name__, two.__name__) == ("a_room.one", "a_room.inner.two")
        with changed(["SHARED=7", "ONLY_HERE=1"], ["a_room"]):
            assert (one.SHARED, two.SHARED, one.ONLY_HERE) == (7, 7, 1.0)
        assert (one.SHARED, two.SHARED, one.ONLY_HERE) == (2, 2, 0.5)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "a_room"]:
            del sys.modules[name]


@pytest.mark.parametrize("change", ["LIKEY=0.3", "LIKELY", "LIKELY=much", "STYLES=3", "hand.LIKELY=0.3"])
def test_what_is_no_constant_or_no_number_is_refused_by_its_name(change: str) -> None:
    with pytest.raises(UserError, match=change.partition("=")[0]), changed([change], HAND):
        pass
