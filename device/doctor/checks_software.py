"""Checks software for `lefthand doctor`: the runtime of the models, the models, their speed, and the calibration."""

from __future__ import annotations

from device.bundles.bundle import Bundle
from device.bundles.tflite import PACKAGES
from device.calibration.latency import midi_lead_s, synth_lead_s
from device.doctor.finding import Finding, broken, good, notice
from device.doctor.machine import Machine
from device.errors import UserError
from device.settings.config import Config
from device.status.hop_times import LARGEST_SHARE

MODEL = "/proc/device-tree/model"
"""File in which a Pi names its model, such as "Raspberry Pi Zero 2 W Rev 1.0"."""
SLOW_MODEL = "Raspberry Pi Zero"
"""Beginning of the name of the boards that are always too slow, because their processor runs at 1 GHz."""


def check_runtime(machine: Machine) -> Finding:
    """Check that a runtime for TFLite models is installed and works with the installed numpy."""
    numpy, found = machine.version("numpy") or "none", machine.runtimes()
    if not found:
        return broken("runtime", "No TFLite runtime is installed.", "Run `pip install ai-edge-litert`.")
    named = ", ".join(f"{PACKAGES[name]} {machine.version(PACKAGES[name]) or ''}".strip() for name in found)
    # tflite_runtime can be imported with numpy 2, but the first model fails
    if found == ["tflite"] and int(numpy.split(".")[0]) >= 2:
        return broken(
            "runtime",
            f"{named} does not work with numpy {numpy}.",
            "Run `pip install 'numpy<2'`, or `pip install ai-edge-litert`.",
        )
    return good("runtime", f"{named} with numpy {numpy}")


def check_bundle(machine: Machine, config: Config | None) -> tuple[Finding, Bundle | None]:
    """Check the bundle (folder of models) that would play: its checksums, and its outputs for known inputs.

    Return the finding and the bundle; None in its place if it cannot be used.
    """
    try:
        choice = machine.bundle(config.play.bundle if config is not None else "")
        bundle = choice.bundle
        # no speed limit here: `check_speed` checks it
        machine.self_test(bundle)
    except UserError as error:
        return broken("bundle", str(error), "Flash the bundle again, or install lefthand again.", "models"), None
    if choice.refused:
        return broken("bundle", f"{choice.refused[0]} {bundle.path} plays instead.", "Flash a good bundle."), bundle
    made = f"{bundle.manifest.name} {bundle.manifest.version} ({bundle.digest[:12]})"
    return good("bundle", f"{made}: checksums and golden vectors are right"), bundle


def check_speed(machine: Machine, bundle: Bundle | None) -> Finding:
    """Check how long the whole engine takes for one hop, a short block of sound. Without a bundle, give a notice.

    It is a fault if more than one hop in a hundred takes longer than LARGEST_SHARE of its length. As in a live run,
    each hop begins when it is due, so the check takes a few seconds.
    """
    if bundle is None:
        return notice("speed", "Not measured without a bundle.")
    times, hop_ms = machine.hop_times(bundle), bundle.features.hop_s * 1e3
    p50, p99 = times.percentile_ms(50), times.percentile_ms(99)
    said = (
        f"a hop of {hop_ms:.0f} ms takes {p50:.2f} ms, 99 of 100 within {p99:.2f} ms; {LARGEST_SHARE:.0%} are allowed"
    )
    if p99 > LARGEST_SHARE * hop_ms:
        model = machine.read(MODEL) or ""
        if SLOW_MODEL in model:
            return broken("speed", f"A {SLOW_MODEL} is too slow for this bundle: {said}.", "Use a Pi 4 or a Pi 5.")
        remedy = "End other programs, see the lines on governor and power, or take a faster Pi."
        return broken("speed", f"This machine is too slow: {said}.", remedy)
    return good("speed", said)


def check_latency(machine: Machine, config: Config) -> Finding:
    """Check that a calibration or the settings say how late the outputs sound. If not, give a notice."""
    measured = machine.calibration()
    leads = [f"MIDI {midi_lead_s(config, measured) * 1e3:.0f} ms"] if config.plays_midi else []
    leads += [f"synthesiser {synth_lead_s(config, measured) * 1e3:.0f} ms"] if config.plays_synth else []
    if not leads:
        return good("latency", "nothing is played")
    given = config.audio.latency_ms, config.midi.latency_ms, config.synth.latency_ms
    if measured is None and all(ms is None for ms in given):
        return notice("latency", "Not measured, so notes may come late.", "Run `lefthand calibrate`.", "calibration")
    when = f", measured {measured.measured}" if measured is not None else ", from the settings"
    return good("latency", f"notes are sent early by: {', '.join(leads)}{when}")
