"""`lefthand run` in time with a MIDI clock that comes with the notes: `[clock] mode = "midi"`."""

from __future__ import annotations

import signal
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from rig import Ensemble, Instrument, Process

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
"""From a pulse that is sent to a note that is received, where a thread that does nothing is in time."""
SOON_S = 0.15
"""The stop is heard at the end of a hop."""


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
    # a machine that is busy holds up some of its pulses: the grid is where most of them say
    late_s = [sent - at_s for sent, (at_s, kind, *_) in zip(sent_s, gestures, strict=True) if kind == "clock"]
    start_s = BEFORE_S + statistics.median(late_s)
    time.sleep(2 * BEAT_S)
    slack_s = bare.slack_s()
    received = keys.received
    assert run.end(signal.SIGINT) == 0, run.text
    strikes = [at_s for at_s, kind, *_ in received if kind == "note_on"]
    assert len(strikes) > 10
    off_s = [(at_s - start_s + BEAT_S / 8) % (BEAT_S / 4) - BEAT_S / 8 for at_s in strikes]
    assert abs(statistics.median(off_s)) < LATE_S + slack_s
    assert max(strikes) < stopped_s + BEAT_S + slack_s
    down: set[int] = set()
    for at_s, kind, key, _ in received:
        if at_s > stopped_s + SOON_S + slack_s:
            break
        if kind == "note_on":
            down.add(key)
        elif kind == "note_off":
            down.discard(key)
    assert not down
