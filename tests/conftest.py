"""Settings for every tier. tests/tiers.py says what a tier is and which ones run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.tiers import chosen_tiers, missing_of, tier_of

# a busy machine is no failure; pytest-timeout ends what hangs
settings.register_profile("lefthand", deadline=None)
settings.load_profile("lefthand")

DATA = Path(os.environ.get("LEFTHAND_DATA", "../shared/data"))
LEFT_OUT = pytest.StashKey[dict[str, str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT_OUT] = {}


def _chosen(config: pytest.Config) -> set[str]:
    return chosen_tiers(config.args, config.invocation_params.dir, config.option.markexpr)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A tier without its tools is not even imported."""
    tier = tier_of(collection_path)
    if tier is None or not (lacking := missing_of(tier)):
        return None
    if tier in _chosen(config):
        config.stash[LEFT_OUT][tier] = lacking
    return True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Shows why a test failed that passed when it was tried again, and which tiers were left out."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.section(f"failed once: {report.nodeid}")
        terminalreporter.line(report.longreprtext)
    for lacking in config.stash[LEFT_OUT].values():
        terminalreporter.line(f"{'FAILED' if os.environ.get('CI') else 'SKIPPED'} {lacking}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Makes a chosen tier without its tools a failure in CI, which must run everything, and a success elsewhere."""
    if not session.config.stash[LEFT_OUT]:
        return
    if os.environ.get("CI"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    elif exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tiers that were not chosen, and where there is no training data the tests that need it.

    CI has the data and leaves out none of them.
    """
    chosen, has_data = _chosen(config), DATA.is_dir() or bool(os.environ.get("CI"))
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        tier = tier_of(item.path)
        if tier is not None:
            item.add_marker(tier)
        unwanted = tier is not None and tier not in chosen
        (left_out if unwanted or (item.get_closest_marker("data") and not has_data) else kept).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept
