"""From an opened bundle to the parts of the engine that its models drive."""

from __future__ import annotations

from dataclasses import fields

from device.accompanist import Accompanist
from device.bundle import Bundle
from device.choices import AS_FITTED, AS_THE_NET_PLAYS, SPLIT, Steering
from device.errors import BundleError
from device.gate import GateSpec
from device.hearing import Hearing
from device.lefthand import LeftHand


def hearing_of(bundle: Bundle, split: int = SPLIT, confidence: float = AS_FITTED) -> Hearing:
    """A new hearing by the bundle's transcriber, thresholds and features; `split` is the right hand's lowest pitch.

    `confidence`, between 0 and 1: how sure a note has to be, as `device.gate.GateSpec.asked` takes it.
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
