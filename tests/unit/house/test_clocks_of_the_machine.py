"""The time of day may be set back at any moment, so all decisions use the monotonic clock."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

DEVICE = Path(__file__).parents[3] / "device"
OF_DAY = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
ONLY_SHOWN = {
    "service/daemon.py",
    "recording/library.py",
    "bundles/slots.py",
    "status/schema.py",
    "calibration/measure.py",
    "doctor/machine.py",
    "flash/age.py",
}
"""These modules record or show the time of day, or check that clock. The playing does not depend on it."""
FEWEST_MODULES = 120
"""`device` has more modules than this: a search that finds fewer looks in the wrong place."""
MODULES = sorted(DEVICE.rglob("*.py"))


@cache
def asked(path: Path) -> set[str]:
    """Return the time-of-day clocks that a module reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)} & OF_DAY


def test_every_module_is_looked_at() -> None:
    assert len(MODULES) > FEWEST_MODULES
    # every exception must name a module that exists and reads such a clock
    assert {path.relative_to(DEVICE).as_posix() for path in MODULES if asked(path)} == ONLY_SHOWN


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(DEVICE).as_posix())
def test_what_plays_asks_no_clock_of_the_day(path: Path) -> None:
    assert not asked(path) or path.relative_to(DEVICE).as_posix() in ONLY_SHOWN
