"""`lefthand run` and `lefthand devices`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import click

from device.bundle import Bundle, default_bundle
from device.clocks import make_clock, warnings_of
from device.config import DEFAULT_PATH, Config, read_config
from device.engine import Engine
from device.meter import Meter
from device.models import hearing_of, left_hand_of


@click.command()
@click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default=DEFAULT_PATH,
    show_default=True,
    help="The settings; docs/lefthand.toml has every key.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Keep what is captured, heard and sent in a new folder, for `lefthand play DIR/capture.wav`.",
)
def run(path: Path, record: Path | None) -> None:
    """Play the left hand to a live right hand, until Ctrl-C."""
    from device.live import run as run_live

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="lefthand: %(message)s")
    config = read_config(path)
    bundle = Bundle.open(config.play.bundle or default_bundle())
    run_live(config, engine_of(config, bundle), bundle.features.hop_s, record)


@click.command()
def devices() -> None:
    """List sound inputs with their sample rates, and MIDI ports."""
    from device.devices import listing

    click.echo(listing())


def engine_of(config: Config, bundle: Bundle) -> Engine:
    """The engine that the settings ask for, with the models of `bundle`."""
    settings = config.clock
    meter = Meter.parse(settings.meter)
    clock = make_clock(settings.mode, settings.tempo, settings.count_in, meter)
    for warning in warnings_of(clock, meter):
        logging.getLogger("lefthand").warning("%s", warning)
    return Engine(
        clock=clock,
        hearing=None if config.audio.is_midi else hearing_of(bundle),
        player=None if config.play.listen else left_hand_of(bundle),
        hears_itself=config.audio.hears_itself,
    )
