"""The box's own synthesiser plays the left hand. It is a real FluidSynth on JACK, and its sound is measured."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from rig import HERE, PATIENCE_S, Ensemble, Instrument, Process, until
from scenes import until_silent

from tests.pace import in_time

pytestmark = pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="fluidsynth is not installed")

SETTINGS = """
[audio]
input = "midi"
[midi]
input = "player out"
output = "module in"
[clock]
mode = "follow"
[play]
sound = "both"
[synth]
device = "jack"
soundfont = "/usr/share/sounds/sf2/TimGM6mb.sf2"
right_hand = {right_hand}
"""
BEAT_S = 0.5
MELODY = [67] * 4 + [72, 74, 76, 79, 77, 76, 74, 72, 71, 72, 74, 67]
SILENT, AUDIBLE = 1e-4, 5e-3
"""Peak levels; full scale is 1."""
SLACK_S = 0.010
"""Limit in seconds between the arrivals of two messages sent together at two JACK clients: at most one period apart."""
ENOUGH = 5
"""Number of keys of the left hand whose arrivals are compared."""


class Ear(Process):
    """Runs tests/host/ear.py."""

    def peak(self) -> float:
        """Return the sound level since the last call."""
        self.text = ""
        self.say("?")
        return float(self.wait_for(""))


@dataclass
class Stage:
    """A box, its synthesiser, and the instruments that play and listen."""

    player: Instrument
    module: Instrument
    twin: Instrument
    ear: Ear
    synth: Process
    run: Process
    start_synth: Callable[[], Process]


@pytest.fixture
def stage(
    request: pytest.FixtureRequest,
    ensemble: Ensemble,
    instrument: Callable[..., Instrument],
    box: Callable[..., Process],
    tmp_path: Path,
) -> Stage:
    settings = tmp_path / "lefthand.toml"
    settings.write_text(SETTINGS.format(right_hand="true" if request.param else "false"))
    player, module = instrument("player"), instrument("module")
    # its name makes it look like another synthesiser, so it receives the same messages
    twin = instrument("lefthand-synth twin")
    ear = ensemble.begin(str(HERE / "ear.py"), "lefthand-synth:(left|right)", kind=Ear)
    ear.wait_for("ready")

    def start_synth() -> Process:
        process = box("synth", "--config", str(settings))
        process.wait_for("the synthesiser plays TimGM6mb.sf2")
        return process

    synth = start_synth()
    run = box("run", "--config", str(settings))
    run.wait_for("listening to player")
    for target in ("lefthand-synth:midi_00", "lefthand-synth twin in:in"):
        synth.wait_for(f"is joined to {target}")
    return Stage(player, module, twin, ear, synth, run, start_synth)


def gestures(keys: list[int]) -> list[tuple[float, str, int, int]]:
    struck = []
    for i, key in enumerate(keys):
        struck += [(i * BEAT_S, "note_on", key, 90), (i * BEAT_S + 0.3, "note_off", key, 0)]
    return struck


def struck_on(instrument: Instrument) -> list[tuple[float, int]]:
    return [(at_s, key) for at_s, kind, key, _ in instrument.received if kind == "note_on"]


@pytest.mark.parametrize("stage", [False], indirect=True)
def test_the_left_hand_sounds_on_the_box_as_it_plays_at_the_port(stage: Stage, ensemble: Ensemble) -> None:
    bare = ensemble.bare()
    stage.ear.peak()
    # a part of the count-in, after which the left hand still waits
    stage.player.play(gestures(MELODY[:3]))
    assert stage.ear.peak() < SILENT, "the count-in sounds, though the right hand is not to"

    def plays() -> bool:
        stage.player.play(gestures(MELODY))
        return stage.ear.peak() > AUDIBLE and len(struck_on(stage.module)) > ENOUGH

    until(plays, PATIENCE_S, "the left hand sounds")
    assert stage.run.end(signal.SIGINT) == 0
    for instrument in (stage.module, stage.twin):
        until_silent(instrument)
    at_the_port, at_the_synth = struck_on(stage.module), struck_on(stage.twin)
    assert [key for _, key in at_the_port] == [key for _, key in at_the_synth]
    apart = sorted(abs(a - b) for (a, _), (b, _) in zip(at_the_port, at_the_synth, strict=True))
    # the machine may pause for a moment between the two messages
    in_time("port and synthesiser apart, median", apart[len(apart) // 2], SLACK_S + bare.slack_s())
    assert stage.synth.end(signal.SIGTERM) == 0


@pytest.mark.parametrize("stage", [True], indirect=True)
def test_a_synthesiser_that_dies_stops_nothing_and_sounds_again_when_it_is_back(stage: Stage) -> None:
    def strike() -> float:
        stage.ear.peak()
        stage.player.play([(0.0, "note_on", 72, 100), (0.2, "note_off", 72, 0)])
        return stage.ear.peak()

    until(lambda: strike() > AUDIBLE, PATIENCE_S, "the right hand goes through")
    children = Path(f"/proc/{stage.synth.child.pid}/task/{stage.synth.child.pid}/children").read_text().split()
    assert len(children) == 1
    # quit by FluidSynth's own shell: a killed client holds up the whole JACK server and the box's MIDI
    with Path(f"/proc/{children[0]}/fd/0").open("w") as shell:
        shell.write("quit\n")
    assert stage.synth.ended() == 2
    assert "fluidsynth ended (status 0)" in stage.synth.text
    assert strike() < SILENT
    before = len(struck_on(stage.module))

    def plays() -> bool:
        stage.player.play(gestures(MELODY))
        return len(struck_on(stage.module)) > before + 3

    until(plays, PATIENCE_S, "the left hand at the port")
    assert stage.run.child.poll() is None
    again = stage.start_synth()
    until(lambda: strike() > AUDIBLE, PATIENCE_S, "the right hand through the new synthesiser")
    assert again.end(signal.SIGTERM) == 0
    assert stage.run.end(signal.SIGINT) == 0
    until_silent(stage.module)
