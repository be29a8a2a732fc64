"""The short form of tests/flood.py: nothing that a client of the page does costs the box a hop."""

from __future__ import annotations

import pytest

from tests import flood

SECONDS = 1.5


@pytest.mark.parametrize("part", [part for part in flood.PARTS if part != "quiet"])
def test_the_box_loses_no_hop_and_the_page_answers_again(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flood, "MALFORMED", 500)
    row = flood.row_of(part, SECONDS)
    print(row.line())
    assert row.xruns == 0 and row.hops > 0 and row.answers
