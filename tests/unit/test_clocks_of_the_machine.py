"""The time of day may be set back at any moment: only the monotonic clock decides anything."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

DEVICE = Path(__file__).parents[2] / "device"
OF_DAY = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
ONLY_SHOWN = {"daemon.py", "slots.py", "cli_status.py", "cli_calibrate.py", "calibrate.py", "machine.py"}
"""They write down or show when something was, or look at that very clock; nothing that plays follows from it."""


def asked(path: Path) -> set[str]:
    """Clocks of the day that a module asks."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)} & OF_DAY


@pytest.mark.parametrize("path", sorted(DEVICE.glob("*.py")), ids=lambda path: path.name)
def test_what_plays_asks_no_clock_of_the_day(path: Path) -> None:
    assert not asked(path) or path.name in ONLY_SHOWN
