"""Five minutes of music at full speed through the shipped engine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3]))

from tests.soak.figure import missed, table  # noqa: E402
from tests.soak.full_speed import full_speed  # noqa: E402

SECONDS = 300


@pytest.mark.timeout(600)
def test_five_minutes_at_full_speed_keep_within_every_limit() -> None:
    figures = full_speed(SECONDS)
    print(table(figures))
    assert not missed(figures)
