"""Half a minute of live play at hop rate: hops and notes come, memory does not grow, and no key stays down.

`make timed` also judges that no hop is lost and that every message is in time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from rig import REPOSITORY

sys.path.insert(0, str(REPOSITORY))

from tests.soak.figure import missed, table  # noqa: E402
from tests.soak.live import live  # noqa: E402

pytestmark = pytest.mark.quiet

SECONDS = 30


@pytest.mark.timeout(240)
def test_half_a_minute_live_keeps_within_every_limit(tmp_path: Path) -> None:
    figures = live(SECONDS, tmp_path)
    print(table(figures))
    assert not missed(figures)
