"""`python -m training COMMAND` runs everything that happens on the workstation before the export.

Commands are in the same module as the code that they use. They are imported when called, so `--help` needs no Keras.
"""

from __future__ import annotations

import os

import click

from device.commands.group import Commands

COMMANDS = {
    "prepare": "training.corpora.prepare:prepare",
    "banks": "training.pianos.banks:banks",
    "voices": "training.scenes.cache:voices",
    "scenes": "training.scenes.cache:scenes",
    "parcel": "training.remote.parcel:parcel",
    "stream": "training.remote.stream:stream",
    "gpu-fit": "training.remote.fit:gpu_fit",
    "hear": "training.transcriber.hear:hear",
    "average": "training.transcriber.average:average",
    "notes": "training.experiments.older_transcribers.notes:notes",
    "play": "training.accompanist.fit:accompany",
    "seeds": "training.experiments.seeds.seeds:seeds",
    "gate": "training.transcriber.gate_fit:gate",
    "levers": "training.experiments.levers.levers:levers",
    "evaluate": "training.evaluate.evaluate:evaluate",
    "figures": "training.figure_bank.build:figures",
    "chords": "training.figure_bank.chords:chords",
    "hindsight": "training.figure_bank.hindsight:hindsight",
    "rhythm": "training.rhythm:rhythm",
    "gaps": "training.beat_gaps:gaps",
    "place": "training.place_net:place",
    "grid": "training.grid_net:grid_net",
    "beat": "training.beat_net.fit:beat",
    "lock": "training.lock_net.fit:lock",
    "beeps": "training.hearing_figures.beeps:beeps",
    "tuning": "training.hearing_figures.tuning:tuning",
    "resamplers": "training.resamplers:resamplers",
    "report": "training.hearing_figures.report:report",
    "listen": "training.playing_figures.listening:listen",
    "demo": "training.demo:demo",
}
"""Maps the name of each command to module:function. The module is imported when the command is called."""

# as device/cli.py: the clock that is measured here would else keep every core busy
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@click.group(cls=Commands, places=COMMANDS, speaker="training")
def main() -> None:
    """Prepare data, fit both models and measure them."""


if __name__ == "__main__":
    main(prog_name="python -m training")
