"""Each note reaches the screen, and no note of the left hand is shown before it is due."""

from __future__ import annotations

from pathlib import Path

from chromium import Chromium
from latency import latencies_ms, line_of

NOTES = 10
EARLY_MS = 20.0
"""A frame of the screen, and the millisecond to which browsers round their clocks."""


def test_notes_reach_the_screen_and_not_before_they_are_due(tmp_path: Path, browser: Chromium) -> None:
    # how long it takes depends on the machine: the long form measures it
    for kind, times_ms in latencies_ms(tmp_path, browser, NOTES).items():
        print(line_of(kind, times_ms))
        assert len(times_ms) == NOTES and min(times_ms) > -EARLY_MS
