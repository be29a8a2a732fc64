"""Half a minute of live play at hop rate: no hop is lost, every message is in time, and memory does not grow."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rig import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from tests.soak import live, table  # noqa: E402

pytestmark = pytest.mark.quiet

SECONDS = 30


@pytest.mark.timeout(240)
def test_half_a_minute_live_keeps_within_every_limit(tmp_path: Path) -> None:
    figures = live(SECONDS, tmp_path)
    print(table(figures))
    assert not [figure for figure in figures if not figure.good]
