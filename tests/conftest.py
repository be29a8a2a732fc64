"""What holds for every tier."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# a busy machine is no failure; pytest-timeout ends what hangs
settings.register_profile("lefthand", deadline=None)
settings.load_profile("lefthand")

DATA = Path(os.environ.get("LEFTHAND_DATA", "../shared/data"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A test that passed when it was tried again: what went wrong the first time is not lost."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"failed once: {report.nodeid}")
        terminalreporter.line(report.longreprtext)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where there is no training data, tests that need it are left out by name; CI has it and leaves out nothing."""
    if DATA.is_dir() or os.environ.get("CI"):
        return
    needing = [item for item in items if item.get_closest_marker("data")]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]
