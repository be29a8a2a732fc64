"""The short form of tests/flood.py: whatever a client of the page does, the box plays on and the page answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests import flood
from tests.pace import TIMED, within

SECONDS = 1.5
IDLE_S = 4.0


@pytest.mark.parametrize("part", [part for part in flood.PARTS if part != "quiet"])
def test_the_box_plays_on_and_the_page_answers_again(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "MALFORMED", 500)
    row = flood.row_of(part, SECONDS)
    print(row.line())
    assert row.hops > 0 and row.answers
    if TIMED:
        assert row.xruns == 0


def test_without_a_browser_the_page_is_small_and_nearly_idle() -> None:
    found = flood.idle(IDLE_S)
    print(found.line())
    assert found.mib <= flood.MOST_IDLE_MIB
    if TIMED:
        assert found.share <= within(flood.MOST_IDLE_SHARE)


def test_a_part_is_judged_by_the_quiet_part_of_the_same_run() -> None:
    # the figures themselves depend on what else the machine does: `make flood` measures them
    quiet = flood.Row("quiet", "nothing", 300, 0.0, 0, 1.0, 0.2, True)
    assert not replace(quiet, part="requests", hop_p99_ms=1.5, send_p99_ms=0.4).slower(quiet)
    assert not replace(quiet, part="requests", send_p99_ms=None).slower(quiet)
    both = replace(quiet, part="requests", hop_p99_ms=1.6, send_p99_ms=0.45).slower(quiet)
    assert both == [
        "requests: hop p99 is 1.60 ms, in the quiet part 1.00 ms",
        "requests: lateness p99 is 0.45 ms, in the quiet part 0.20 ms",
    ]
