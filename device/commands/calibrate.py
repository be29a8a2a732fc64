"""Runs `lefthand calibrate`, which measures how late the outputs sound."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import click

from device.calibration.latency import Calibration, read_calibration, write_calibration
from device.commands.options import settings_file
from device.errors import UserError
from device.printable import printable
from device.settings.config import Config, read_config
from device.status.schema import read_status
from device.system.account import leave_root
from device.system.paths import run_dir


@click.command()
@settings_file("The settings that name input and outputs.")
@click.option(
    "--input", "input_", metavar="NAME", help="Listen to this sound input instead. Needed if the right hand is MIDI."
)
@click.option("--json", "as_json", is_flag=True, help="Print lines of JSON, for programs.")
def calibrate(path: Path, input_: str | None, as_json: bool) -> None:
    """Measure how late the left hand sounds, and store the result. Play nothing for 15 seconds.

    The command sends notes to the configured outputs and hears them through the configured input. The box uses the
    result from its next start on, unless the settings give latency_ms.
    """
    from device.assemble import bundle_of, hearing_of
    from device.calibration.measure import calibrate as measure

    settings = path.absolute()
    if as_json:
        # the program that reads the lines ends this one: the keys are released first, as with Ctrl-C
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    leave_root()
    config = _with_input(read_config(settings), input_)
    _check_idle()
    hearing = hearing_of(bundle_of(config))

    def say(line: str) -> None:
        click.echo(json.dumps({"said": line}) if as_json else line)

    def count(played: int, notes: int) -> None:
        if as_json:
            click.echo(json.dumps({"played": played, "of": notes}))

    made = measure(config, hearing, read_calibration(), say, count)
    try:
        kept = write_calibration(made)
    except OSError as error:
        raise UserError(f"{error.filename} cannot be written ({error.strerror}): run it with sudo.") from None
    lines = _lines(made, config)
    for line in [" ".join(lines)] if as_json else lines:
        say(line)
    if not as_json:
        click.echo(printable(f"kept in {kept}; restart the box to use it"))


def _with_input(config: Config, name: str | None) -> Config:
    if name is not None:
        config = replace(config, audio=replace(config.audio, input=name))
    if config.audio.is_midi:
        raise UserError(
            '[audio] input is "midi", but calibration must hear the notes: name a sound input with --input '
            "(`lefthand devices` lists them), or give latency_ms in the settings."
        )
    if config.play.listen:
        raise UserError("[play] listen = true plays nothing, so there is nothing to calibrate.")
    return config


def _check_idle() -> None:
    status = read_status(run_dir())
    # a box that runs this for its owner has closed its ports
    if status is not None and status.alive and status.state == "playing" and status.pid != os.getppid():
        raise UserError(
            f"The box plays (process {status.pid}) and uses the input: run `sudo systemctl stop lefthand`, "
            f"calibrate, and start it again."
        )


def _lines(made: Calibration, config: Config) -> list[str]:
    lines = []
    if config.plays_midi:
        lines.append(_line("MIDI", made.round_trip_ms, made.spread_ms, made.leak_db))
    if config.plays_synth:
        lines.append(_line("synthesiser", made.synth_round_trip_ms, made.synth_spread_ms, made.synth_leak_db))
    return lines


def _line(name: str, trip_ms: float | None, spread_ms: float | None, leak_db: float | None) -> str:
    return (
        f"{name}: a note is heard {trip_ms:.0f} ms after it was sent (give or take {spread_ms:.0f} ms), "
        f"{leak_db:.0f} dB above the silence"
    )
