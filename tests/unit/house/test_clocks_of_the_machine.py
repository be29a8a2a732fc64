"""The time of day may be set back at any moment: only the monotonic clock decides anything."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

DEVICE = Path(__file__).parents[3] / "device"
OF_DAY = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
ONLY_SHOWN = {
    "service/daemon.py",
    "bundles/slots.py",
    "commands/status.py",
    "calibration/measure.py",
    "doctor/machine.py",
}
"""They write down or show when something was, or look at that very clock; nothing that plays follows from it."""
FEWEST_MODULES = 120
"""`device` has more modules than this: a search that finds fewer looks in the wrong place."""
MODULES = sorted(DEVICE.rglob("*.py"))


def asked(path: Path) -> set[str]:
    """Clocks of the day that a module asks."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)} & OF_DAY


def test_every_module_is_looked_at() -> None:
    assert len(MODULES) > FEWEST_MODULES
    # a name in the list of exceptions that no module has, or that asks no clock, excepts nothing
    assert {path.relative_to(DEVICE).as_posix() for path in MODULES if asked(path)} == ONLY_SHOWN


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(DEVICE).as_posix())
def test_what_plays_asks_no_clock_of_the_day(path: Path) -> None:
    assert not asked(path) or path.relative_to(DEVICE).as_posix() in ONLY_SHOWN
