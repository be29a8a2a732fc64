"""Runs `lefthand synth`, the command of the service lefthand-synth, which plays the synthesiser."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from device.commands.options import settings_file
from device.service.journal import log_to_stderr
from device.settings.config import read_config


@click.command(short_help="Sound the left hand on this machine with FluidSynth.")
@settings_file("The settings; docs/lefthand.toml has every key.")
def synth(path: Path) -> None:
    """Sound the left hand on this machine with FluidSynth, until Ctrl-C.

    It plays what `lefthand run` sends with [play] sound = "synth" or "both".
    """
    from device.outputs.synth_process import run_synth

    log_to_stderr()
    config = read_config(path)
    if not config.plays_synth:
        click.echo('lefthand: [play] sound = "midi": there is nothing for the synthesiser to do', err=True)
        return
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_synth(config, stop)
