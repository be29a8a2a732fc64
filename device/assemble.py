"""Builds the engine from the settings and an opened bundle."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from pathlib import Path

from device.bundles.bundle import Bundle
from device.bundles.choice import open_current
from device.bundles.ranges import check_gate
from device.calibration.tuning_file import read_tuning
from device.clock.meter import Meter
from device.clock.step import Clock
from device.engine import Engine
from device.errors import BundleError
from device.hearing.gate_spec import GateSpec
from device.hearing.pipeline import Hearing
from device.left_hand.accompanist import Accompanist
from device.left_hand.memory_file import read_memory
from device.left_hand.phrase_memory import PhraseMemory
from device.left_hand.player import LeftHand
from device.make_clock import make_clock, warnings_of
from device.settings.choices import AS_FITTED, AS_THE_NET_PLAYS, SPLIT, Steering
from device.settings.config import Config, read_config

MOST_GAP_STEPS = 64
"""Largest gap, in sixteenths: four bars of 4/4. The shipped accompanist has a gap of one."""


@dataclass(frozen=True)
class ModelsInUse:
    """Names the bundle of the models in the engine: its folder and its sha256. `hop_s` is the length of a hop.

    The bundle itself is not kept, because its files would take memory as long as the box plays.
    """

    path: Path
    digest: str
    hop_s: float


@dataclass(frozen=True)
class Setup:
    """Holds the settings of a run, and the engine that the settings select."""

    config: Config
    models: ModelsInUse
    engine: Engine


def set_up(path: Path, upbeat: float | None = None) -> Setup:
    """Read the settings in the file `path`, check the models and build the engine.

    `upbeat`, in beats, takes the place of the file's [clock] upbeat unless it is None. Raises UserError if the settings
    or the models cannot be used.
    """
    config = read_config(path)
    if upbeat is not None:
        config = replace(config, clock=replace(config.clock, upbeat=upbeat))
    bundle = bundle_of(config)
    models = ModelsInUse(bundle.path, bundle.digest, bundle.features.hop_s)
    return Setup(config, models, engine_of(config, bundle))


def bundle_of(config: Config) -> Bundle:
    """Open and return the bundle (the folder of the models) that the settings name, or else the one in use on this box.

    Raises BundleError if it cannot be used.
    """
    return Bundle.open(config.play.bundle) if config.play.bundle else open_current()


def engine_of(config: Config, bundle: Bundle) -> Engine:
    """Build and return the engine that the settings select, with the models of `bundle`.

    Logs a warning for a metre that the models were not trained on. Raises UserError if the settings do not fit
    together, and BundleError if the bundle cannot be used.
    """
    clock = clock_of(config)
    for warning in warnings_of(clock, Meter.parse(config.clock.meter)):
        logging.getLogger("lefthand").warning("%s", warning)
    memory = read_memory() if config.play.memory and not config.play.listen else None
    return Engine(
        clock=clock,
        hearing=None if config.audio.is_midi else _live_hearing(config, bundle),
        player=None if config.play.listen else left_hand_of(bundle, config.play.steering, memory),
        hears_itself=config.audio.hears_itself,
        memory=memory,
    )


def _live_hearing(config: Config, bundle: Bundle) -> Hearing:
    """Build the hearing of a live run with the tuning in the settings.

    If the settings have none, it starts with the tuning stored on the box and then measures and follows it.
    """
    given = config.audio.tuning
    tuning = read_tuning() if given is None else given
    return hearing_of(bundle, config.play.split, config.audio.confidence, tuning, adapts=given is None)


def clock_of(config: Config) -> Clock:
    """Build the clock that the settings select. Raises UserError if the settings do not fit together."""
    settings = config.clock
    return make_clock(
        *(settings.mode, settings.tempo, settings.count_in, Meter.parse(settings.meter)),
        max_drift=settings.max_drift,
        upbeat=settings.upbeat,
    )


def hearing_of(
    bundle: Bundle,
    split: int = SPLIT,
    confidence: float = AS_FITTED,
    tuning: float = 0.0,
    adapts: bool = False,
    hears_beeps: bool = False,
) -> Hearing:
    """Build the hearing with the transcriber, the thresholds and the features of the bundle.

    `split` is the lowest MIDI pitch of the right hand. `confidence`, between 0 and 1, makes the gate stricter or less
    strict, see `device.hearing.gate.GateSpec.asked`. `device.hearing.pipeline.Hearing` explains `tuning` (in cents),
    `adapts` and `hears_beeps`. Raises BundleError if the bundle's gate settings cannot be used, or if the delays of
    gate and transcriber differ.
    """
    known = {field.name for field in fields(GateSpec)}
    settings = {name: value for name, value in bundle.manifest.gate.items() if name in known}
    try:
        check_gate(settings)
        gate = GateSpec.from_dict(settings)
    except (TypeError, ValueError) as error:
        raise BundleError(f"{bundle.path}: gate: {error}: export the bundle again.") from None
    if gate.delay_frames != bundle.manifest.label_delay_frames:
        raise BundleError(
            f"{bundle.path}: the gate's delay is {gate.delay_frames} frames, "
            f"the transcriber's {bundle.manifest.label_delay_frames}: export the bundle again."
        )
    return Hearing(
        bundle.features,
        gate,
        bundle.transcriber(),
        split=split,
        confidence=confidence,
        tuning=tuning,
        adapts=adapts,
        hears_beeps=hears_beeps,
    )


def left_hand_of(bundle: Bundle, steering: Steering = AS_THE_NET_PLAYS, memory: PhraseMemory | None = None) -> LeftHand:
    """Build the left hand with the accompanist of the bundle. It starts with `steering`, and with `memory` if given.

    Raises BundleError if the bundle's `gap_steps` is not a number from 1 to MOST_GAP_STEPS.
    """
    gap_steps = bundle.manifest.accompanist.get("gap_steps")
    if not isinstance(gap_steps, int | float) or not 1 <= gap_steps <= MOST_GAP_STEPS:
        raise BundleError(
            f"{bundle.path}: the accompanist's gap_steps is {str(gap_steps)[:40]!r}, and must be 1 or more, at most "
            f"{MOST_GAP_STEPS}."
        )
    return LeftHand(Accompanist(bundle.accompanist(), float(gap_steps)), steering, memory)
