"""`lefthand run` in time with a MIDI clock that comes with the notes: `[clock] mode = "midi"`."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Ensemble, Instrument, Process
from scenes import let_go_s, struck, until_silent

from tests.pace import in_time

pytestmark = pytest.mark.quiet

SETTINGS = """
[audio]
input = "midi"
[midi]
input = "keys out"
output = "keys in"
[clock]
mode = "midi"
[play]
style = "block"
"""

BEAT_S = 0.4
QUARTERS = 20
BEFORE_S = 0.2
LATE_S = 0.03
"""Limit in seconds from a sent pulse to the received note, on a machine whose idle real-time thread is on time."""
SOON_S = 0.15
"""Limit in seconds for a stop message, which is handled at the end of a hop."""


def test_the_left_hand_is_on_the_beats_of_the_clock_and_ends_with_it(
    ensemble: Ensemble, instrument: Callable[..., Instrument], box: Callable[..., Process], tmp_path: Path
) -> None:
    keys = instrument("keys")
    (tmp_path / "lefthand.toml").write_text(SETTINGS)
    run = box("run", "--config", str(tmp_path / "lefthand.toml"))
    run.wait_for("listening to keys")
    gestures = [(BEFORE_S / 2, "start", 0, 0)]
    gestures += [(BEFORE_S + i * BEAT_S / 24, "clock", 0, 0) for i in range(24 * QUARTERS)]
    for i in range(QUARTERS - 1):
        at_s = BEFORE_S + i * BEAT_S
        gestures += [(at_s, "note_on", 72 + (0, 4, 7, 4)[i % 4], 80), (at_s + 0.3, "note_off", 72, 0)]
    gestures.append((BEFORE_S + QUARTERS * BEAT_S, "stop", 0, 0))
    gestures.sort()
    bare = ensemble.bare()
    sent_s = keys.play(gestures)
    stopped_s = sent_s[-1]
    # a busy machine delays some pulses, so the median of the pulses gives the grid
    late_s = [sent - at_s for sent, (at_s, kind, *_) in zip(sent_s, gestures, strict=True) if kind == "clock"]
    start_s = BEFORE_S + statistics.median(late_s)
    time.sleep(2 * BEAT_S)
    until_silent(keys)
    before = struck(keys.received)
    time.sleep(2 * BEAT_S)
    slack_s = bare.slack_s()
    received = keys.received
    assert struck(received) == before, "it plays on without the clock"
    assert run.end(signal.SIGINT) == 0, run.text
    strikes = [at_s for at_s, kind, *_ in received if kind == "note_on"]
    assert len(strikes) > 10
    off_s = [(at_s - start_s + BEAT_S / 8) % (BEAT_S / 4) - BEAT_S / 8 for at_s in strikes]
    in_time("a pulse to its note, median", abs(statistics.median(off_s)), LATE_S + slack_s)
    in_time("the stop to the last strike", max(strikes) - stopped_s, BEAT_S + slack_s)
    in_time("the stop to silence", let_go_s(received) - stopped_s, SOON_S + slack_s)
