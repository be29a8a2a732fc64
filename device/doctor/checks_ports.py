"""Checks ports for `lefthand doctor`: the sound input, its tuning, the MIDI ports and the synthesiser."""

from __future__ import annotations

from collections.abc import Callable

from device.doctor.finding import Finding, Place, broken, good, notice
from device.doctor.machine import Machine
from device.errors import PortKind, UserError
from device.outputs.synth_link import is_synth
from device.outputs.synth_process import find_soundfont
from device.ports.port import INPUT, OUTPUT, SOUND, Port, choose
from device.printable import count_of
from device.settings.config import Config
from device.settings.sections import DEFAULT_RATE


def check_sound(machine: Machine, config: Config) -> Finding:
    """Check that the sound input in the settings is connected and has their channel and sample rate."""
    audio, name = config.audio, "sound"
    if audio.is_midi:
        return good(name, "not used: the right hand comes as MIDI")
    running = machine.status()
    if running is not None and running[0].alive and running[0].audio.port is not None:
        # a sound card in use is not listed for other programs
        heard = running[0].audio
        return good(name, f"{heard.port} at {heard.rate} Hz, in use by the running box")
    try:
        inputs = machine.sound_inputs(audio.input, audio.channel)
        port = choose(audio.input, [sound for sound, _ in inputs], SOUND)
    except UserError as error:
        return broken(name, str(error), place="inputs")
    rates = next(rates for sound, rates in inputs if sound == port)
    if audio.channel > port.channels:
        return broken(
            name, f'"{port}" has {count_of(port.channels, "channel")}.', f"Set [audio] channel to 1 to {port.channels}."
        )
    if not rates:
        return broken(name, f'"{port}" is in use by another program.', "Close it, or restart the machine.")
    listing = ", ".join(map(str, rates))
    if audio.rate in rates:
        return good(name, f"{port} at {audio.rate} Hz (it has {listing})")
    if audio.rate == DEFAULT_RATE:
        nearest = min(rates, key=lambda rate: abs(rate - DEFAULT_RATE))
        return good(name, f"{port} at {nearest} Hz, because it has no {DEFAULT_RATE}")
    return broken(name, f'"{port}" does not run at {audio.rate} Hz.', f"Set [audio] rate to one of {listing}.")


def check_tuning(machine: Machine, config: Config) -> Finding:
    """Report by how many cents the piano is tuned above A4 = 440 Hz, as far as the box knows. It is never a fault.

    The number comes from the settings, else from the running box, else from the last measurement that was stored.
    """
    name = "tuning"
    if config.audio.is_midi:
        return good(name, "not used: the right hand comes as MIDI")
    if config.audio.tuning is not None:
        return good(name, f"{config.audio.tuning:+.0f} cents from A4 = 440 Hz, as the settings say")
    running = machine.status()
    if running is not None and running[0].alive and running[0].audio.tuning_cents is not None:
        return good(name, f"{running[0].audio.tuning_cents:+.0f} cents from A4 = 440 Hz, measured by the running box")
    cents = machine.tuning()
    return good(name, f"{cents:+.0f} cents from A4 = 440 Hz, as last measured" if cents else "in tune with A4 = 440 Hz")


def check_output(machine: Machine, config: Config) -> Finding:
    """Check that the left hand's MIDI output is connected, if the settings use one."""
    if not config.plays_midi:
        return good("MIDI out", "not used: the settings send no MIDI")
    return _port("MIDI out", config.midi.output, machine.midi_outputs, OUTPUT, "outputs")


def check_heard(machine: Machine, config: Config) -> Finding:
    """Check that the MIDI output for the heard right hand is connected, if the settings name one."""
    if not config.midi.heard:
        return good("MIDI heard", "not used: the heard notes are not sent")
    return _port("MIDI heard", config.midi.heard, machine.midi_outputs, OUTPUT, "")


def check_input(machine: Machine, config: Config) -> Finding:
    """Check that the right hand's MIDI input is connected, if the settings use one."""
    if not config.audio.is_midi:
        return good("MIDI in", "not used: the right hand comes as sound")
    return _port("MIDI in", config.midi.input, machine.midi_inputs, INPUT, "inputs")


def check_synth(machine: Machine, config: Config) -> Finding:
    """Check that FluidSynth is installed, has a soundfont and runs, if the settings use the synthesiser."""
    name = "synth"
    if not config.plays_synth:
        return good(name, "not used: the settings play no synthesiser")
    if not machine.has_program("fluidsynth"):
        return broken(name, "fluidsynth is not installed.", "Run `sudo apt install fluidsynth`.")
    try:
        soundfont = find_soundfont(config.synth.soundfont)
        running = any(is_synth(port) for port in machine.midi_outputs())
    except UserError as error:
        return broken(name, str(error))
    if not running:
        return broken(name, "The synthesiser does not run.", "See `journalctl -u lefthand-synth -n 20`.")
    return good(name, f"fluidsynth runs with {soundfont.name}")


def check_permissions(machine: Machine) -> Finding:
    """Check that this account may read and write the sound devices in /dev/snd. None there is a notice."""
    devices = machine.find("/dev/snd/*")
    nodes = [path for path in devices if not path.endswith(("by-id", "by-path"))]
    if not nodes:
        return notice("permissions", "There is no /dev/snd: no sound card is connected, or the kernel has no ALSA.")
    if closed := [path for path in nodes if not machine.may_use(path)]:
        return broken(
            "permissions",
            f"This account may not use {closed[0]}.",
            "Run `sudo usermod -aG audio $USER` and log in again.",
        )
    return good("permissions", f"all {len(nodes)} devices in /dev/snd may be used")


def _port(name: str, wanted: str, ports: Callable[[], list[Port]], kind: PortKind, place: Place) -> Finding:
    try:
        return good(name, str(choose(wanted, ports(), kind)))
    except UserError as error:
        return broken(name, str(error), place=place)
