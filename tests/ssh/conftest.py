"""Boxes behind a real sshd. Each test has its own box, which is powered off afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bundles import variant
from ssh_box import Box, powered

HERE = Path(__file__).parent
PATIENCE_S = 600
"""Timeout in seconds. Some tests flash a dozen times, on a machine that may be busy."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(PATIENCE_S))


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """Start a box that plays its shipped bundle."""
    with powered(tmp_path / "box") as found:
        yield found


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good bundle."""
    return variant(tmp_path_factory.mktemp("first") / "bundle", "first", "2027-01-01T00:00:00Z")


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good bundle made after the first."""
    return variant(tmp_path_factory.mktemp("second") / "bundle", "second", "2027-01-02T00:00:00Z")
