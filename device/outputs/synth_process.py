"""The synthesiser on the box: FluidSynth as a child, with a MIDI port of its own.

It is watched rather than only started, for FluidSynth lives on in silence when its sound card is unplugged.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import signal
import subprocess
import threading
from pathlib import Path

from device.errors import UserError
from device.outputs.alsa_cards import find_card, sound_cards
from device.outputs.synth_link import SYNTH, Link, right_hand_channel
from device.ports.midi_ports import MidiPorts, midi_systems
from device.settings.config import Config, SynthSettings
from device.system.paths import soundfonts

JACK = "jack"
RATE = 48_000
PERIOD, PERIODS = 256, 3
AUDIO_PRIORITY, MIDI_PRIORITY = 45, 46
"""Below the box's own loop (50): a synthesiser that is too busy crackles, and delays no hearing."""
POLL_S = 0.25
END_S = 3.0

log = logging.getLogger("lefthand")


def run_synth(config: Config, stop: threading.Event) -> None:
    """Wait for the output, then sound until `stop`; UserError where FluidSynth cannot be had, or comes to an end."""
    soundfont = find_soundfont(config.synth.soundfont)
    program = shutil.which("fluidsynth")
    if program is None:
        raise UserError("fluidsynth is not installed: run `sudo apt install fluidsynth` to get it.")
    midi_systems()  # raises now what would else be told only when the output has come
    output = _wait_for_output(config.synth, stop)
    if output is None:
        return
    command = [program, *arguments(config, output, soundfont)]
    link, sources, targets = Link(), MidiPorts(output=False), MidiPorts(output=True)
    # its shell reads stdin: it ends with the pipe, so it can never outlive us
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0)
    log.info("the synthesiser plays %s on %s", soundfont.name, output)
    try:
        _say(child, programs(config))
        while not stop.wait(POLL_S):
            if child.poll() is not None:
                raise UserError(f"fluidsynth ended ({_ending(child.returncode)}): its own lines above say why.")
            if not _present(config.synth, output):
                raise UserError(f'The sound output "{output}" is gone: connect it again.')
            for ports in (sources, targets):
                ports.refresh()
            link.step(sources.ports(), targets.ports())
    finally:
        sources.close()
        targets.close()
        _end(child)


def arguments(config: Config, output: str, soundfont: Path) -> list[str]:
    """FluidSynth's own arguments, for `output` as `_wait_for_output` gives it."""
    # one interface often has one clock for both directions
    rate = RATE if config.audio.is_midi else min(config.audio.rate, 96_000)
    settings = {
        "audio.realtime-prio": AUDIO_PRIORITY,
        "midi.realtime-prio": MIDI_PRIORITY,
        "midi.portname": SYNTH,
        "synth.chorus.active": 0,
        "synth.dynamic-sample-loading": 1,
    }
    if output == JACK:
        drivers = ["-a", "jack", "-m", "jack", "-j"]
        settings |= {"audio.jack.id": SYNTH, "midi.jack.id": SYNTH}
    else:
        drivers = ["-a", "alsa", "-m", "alsa_seq"]
        settings |= {"audio.alsa.device": output, "midi.alsa_seq.id": SYNTH}
    options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    sound = ["-r", str(rate), "-z", str(PERIOD), "-c", str(PERIODS), "-g", f"{config.synth.gain:g}"]
    return ["-q", *drivers, *sound, *options, str(soundfont)]


def programs(config: Config) -> str:
    """Lines for its shell: the sound of both hands."""
    if not config.midi.program:
        return ""
    left = config.midi.channel - 1
    return "".join(f"prog {channel} {config.midi.program - 1}\n" for channel in (left, right_hand_channel(left)))


def find_soundfont(wanted: str) -> Path:
    """The file `wanted`, or the best one that is installed; UserError names what to install."""
    if wanted:
        path = Path(wanted)
        if not path.is_file():
            raise UserError(f"The soundfont {path} is missing: give another in [synth] soundfont, or none.")
        return path
    for path in soundfonts(".sf2", ".sf3"):
        return path
    raise UserError("No soundfont is installed: run `sudo apt install fluid-soundfont-gm` to get one.")


def _wait_for_output(settings: SynthSettings, stop: threading.Event) -> str | None:
    """The output as its driver calls it, once it is there; None when stopped before."""
    told = False
    while (output := _output(settings)) is None:
        if not told:
            there = ", ".join(f'"{card.id}"' for card in sound_cards()) or "none at all"
            wanted = f'"{settings.device}"' if settings.device else "of any name"
            log.info("waiting for the sound output %s; there is %s", wanted, there)
            told = True
        if stop.wait(POLL_S):
            return None
    return output


def _output(settings: SynthSettings) -> str | None:
    """JACK, an ALSA device as it is given, or the card that is meant; None while that is not there."""
    if settings.device == JACK:
        return JACK
    if not settings.device:
        return "default" if sound_cards() else None
    if ":" in settings.device:
        return settings.device
    card = find_card(settings.device, sound_cards())
    return None if card is None else f"plughw:CARD={card.id}"


def _present(settings: SynthSettings, output: str) -> bool:
    return _output(settings) == output


def _say(child: subprocess.Popen[bytes], lines: str) -> None:
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(lines.encode())


def _end(child: subprocess.Popen[bytes]) -> None:
    # killed, it would leave a JACK server waiting for it
    _say(child, "quit\n")
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()


def _ending(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
