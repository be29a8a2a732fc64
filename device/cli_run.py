"""`lefthand run` and `lefthand devices`."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from device.bundle import Bundle
from device.clocks import make_clock, warnings_of
from device.config import Config, read_config
from device.engine import Engine
from device.journal import log_to_journal_or_stderr
from device.meter import Meter
from device.models import hearing_of, left_hand_of
from device.options import settings_file
from device.paths import run_dir
from device.recording import DEFAULT_MB, MEGABYTE, Capture
from device.setup import Setup
from device.slots import open_current


@click.command()
@settings_file("The settings; docs/lefthand.toml has every key.")
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep what is captured, heard and sent in a new folder, for `lefthand play DIR/capture.wav`.",
)
@click.option(
    "--record-mb",
    type=click.IntRange(1),
    metavar="MB",
    default=DEFAULT_MB,
    show_default=True,
    help="The recording ends at this size; playing goes on.",
)
@click.option(
    "--wait",
    is_flag=True,
    help="As a service: wait for ports that are not there, and come back with them; SIGHUP reads the settings again.",
)
def run(path: Path, record: Path | None, record_mb: int, wait: bool) -> None:
    """Play the left hand to a live right hand, until Ctrl-C."""
    log_to_journal_or_stderr()
    capture = None if record is None else Capture(record, record_mb * MEGABYTE)
    if wait:
        from device.daemon import Daemon

        Daemon(lambda: _set_up(path), run_dir(), capture).run()
    else:
        from device.live import run as run_live

        setup = _set_up(path)
        run_live(setup.config, setup.engine, setup.bundle, capture)


@click.command()
def devices() -> None:
    """List sound inputs with their sample rates, and MIDI ports."""
    from device.devices import listing

    click.echo(listing())


def _set_up(path: Path) -> Setup:
    """Read the settings, check the models and build the engine; raises UserError."""
    config = read_config(path)
    bundle = Bundle.open(config.play.bundle) if config.play.bundle else open_current()
    return Setup(config, bundle, engine_of(config, bundle))


def engine_of(config: Config, bundle: Bundle) -> Engine:
    """The engine that the settings ask for, with the models of `bundle`."""
    settings = config.clock
    meter = Meter.parse(settings.meter)
    clock = make_clock(settings.mode, settings.tempo, settings.count_in, meter)
    for warning in warnings_of(clock, meter):
        logging.getLogger("lefthand").warning("%s", warning)
    return Engine(
        clock=clock,
        hearing=None if config.audio.is_midi else hearing_of(bundle, config.play.split, config.audio.confidence),
        player=None if config.play.listen else left_hand_of(bundle, config.play.steering),
        hears_itself=config.audio.hears_itself,
    )
