"""Builds the engine from the settings and an opened bundle."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from pathlib import Path

from device.bundles.bundle import Bundle
from device.bundles.slots import open_current
from device.clock.make_clock import make_clock, warnings_of
from device.clock.meter import Meter
from device.engine import Engine
from device.errors import BundleError
from device.hearing.gate import GateSpec
from device.hearing.pipeline import Hearing
from device.left_hand.accompanist import Accompanist
from device.left_hand.player import LeftHand
from device.settings.choices import AS_FITTED, AS_THE_NET_PLAYS, SPLIT, Steering
from device.settings.config import Config, read_config


@dataclass(frozen=True)
class Setup:
    """The settings of a run, and the models and the engine that they ask for."""

    config: Config
    bundle: Bundle
    engine: Engine


def set_up(path: Path) -> Setup:
    """Read the settings in the file `path`, check the models and build the engine; raises UserError."""
    config = read_config(path)
    bundle = Bundle.open(config.play.bundle) if config.play.bundle else open_current()
    return Setup(config, bundle, engine_of(config, bundle))


def engine_of(config: Config, bundle: Bundle) -> Engine:
    """The engine that the settings ask for, with the models of `bundle`. A metre that was not trained is logged."""
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


def hearing_of(bundle: Bundle, split: int = SPLIT, confidence: float = AS_FITTED) -> Hearing:
    """A new hearing by the bundle's transcriber, thresholds and features; `split` is the right hand's lowest pitch.

    `confidence`, between 0 and 1: how sure a note has to be, as `device.hearing.gate.GateSpec.asked` takes it.
    """
    known = {field.name for field in fields(GateSpec)}
    settings = {name: value for name, value in bundle.manifest.gate.items() if name in known}
    gate = GateSpec.from_dict(settings)
    if gate.delay_frames != bundle.manifest.label_delay_frames:
        raise BundleError(
            f"{bundle.path}: the gate's delay is {gate.delay_frames} frames, "
            f"the transcriber's {bundle.manifest.label_delay_frames}: export the bundle again."
        )
    return Hearing(bundle.features, gate.asked(confidence), bundle.transcriber(), split)


def left_hand_of(bundle: Bundle, steering: Steering = AS_THE_NET_PLAYS) -> LeftHand:
    """A new left hand by the bundle's accompanist, which begins as `steering` says."""
    gap_steps = bundle.manifest.accompanist.get("gap_steps")
    if not isinstance(gap_steps, int | float) or gap_steps < 1:
        raise BundleError(f"{bundle.path}: the accompanist's gap_steps is {gap_steps!r}, and must be 1 or more.")
    return LeftHand(Accompanist(bundle.accompanist(), float(gap_steps)), steering)
