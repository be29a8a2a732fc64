"""`[midi] heard`: the right hand that the box hears on tape reaches an instrument through a real JACK server."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path

from rig import PATIENCE_S, Ensemble, down_after, until

from device.files.results.notes_csv import read_notes

SETTINGS = """
[audio]
input = "tape"
block = 480
[midi]
output = "synth"
heard = "expander"
heard_channel = 3
[clock]
count_in = 4
"""


def test_what_is_heard_arrives_and_ends_in_silence(ensemble: Ensemble, right_hand: Path, tmp_path: Path) -> None:
    settings = tmp_path / "lefthand.toml"
    settings.write_text(SETTINGS)
    synth, expander = ensemble.instrument("synth"), ensemble.instrument("expander")
    tape = ensemble.tape(right_hand)
    run = ensemble.box("run", "--config", str(settings), "--record", str(tmp_path / "capture"))
    run.wait_for("listening to tape")
    tape.say("play")
    tape.wait_for("over")
    assert run.end(signal.SIGTERM) == 0, run.text
    # the instrument may read the last messages a moment after the box has ended
    until(lambda: expander.received[-1][1:] == ("control_change", 123, 0), PATIENCE_S, "the end of what is heard")
    received = expander.received
    arrived = Counter((key, velocity) for _, kind, key, velocity in received if kind == "note_on")
    notes = read_notes(tmp_path / "capture" / "notes.csv")
    heard = Counter((note.pitch, note.velocity) for note in notes if note.hand == "right")
    assert not arrived - heard
    # a busy JACK server skips cycles and loses their messages
    assert arrived.total() >= 0.7 * heard.total() > 10
    assert not down_after(received)
    # the left hand goes to its own instrument
    assert any(kind == "note_on" for _, kind, *_ in synth.received)
