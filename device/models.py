"""From an opened bundle to the parts of the engine that its models drive."""

from __future__ import annotations

from dataclasses import fields

from device.accompanist import Accompanist
from device.bundle import Bundle
from device.errors import BundleError
from device.gate import GateSpec
from device.hearing import Hearing
from device.lefthand import LeftHand


def hearing_of(bundle: Bundle) -> Hearing:
    """A new hearing by the bundle's transcriber, thresholds and features."""
    known = {field.name for field in fields(GateSpec)}
    settings = {name: value for name, value in bundle.manifest.gate.items() if name in known}
    gate = GateSpec.from_dict(settings)
    if gate.delay_frames != bundle.manifest.label_delay_frames:
        raise BundleError(
            f"{bundle.path}: the gate's delay is {gate.delay_frames} frames, "
            f"the transcriber's {bundle.manifest.label_delay_frames}: export the bundle again."
        )
    return Hearing(bundle.features, gate, bundle.transcriber())


def left_hand_of(bundle: Bundle) -> LeftHand:
    """A new left hand by the bundle's accompanist."""
    gap_steps = bundle.manifest.accompanist.get("gap_steps")
    if not isinstance(gap_steps, int | float) or gap_steps < 1:
        raise BundleError(f"{bundle.path}: the accompanist's gap_steps is {gap_steps!r}, and must be 1 or more.")
    return LeftHand(Accompanist(bundle.accompanist(), float(gap_steps)))
