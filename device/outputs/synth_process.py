"""Runs the synthesiser on the box: FluidSynth as a child process with a MIDI port of its own.

The sound card is watched too, because FluidSynth keeps running in silence when its card is unplugged.
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
from device.settings.config import Config
from device.settings.sections import SynthSettings
from device.system.paths import soundfonts

JACK = "jack"
RATE = 48_000
"""Sample rate in Hz if the right hand comes from MIDI and no sound input sets a rate."""
PERIOD, PERIODS = 256, 3
"""Frames in one output buffer, and the number of buffers."""
AUDIO_PRIORITY, MIDI_PRIORITY = 45, 46
"""Real-time priorities, below the box's own loop (50). An overloaded synthesiser crackles but delays no hearing."""
POLL_S = 0.25
"""Seconds between two checks of the child process, its output and the ports."""
END_S = 3.0
"""Seconds that FluidSynth has to end by itself before it is killed."""

log = logging.getLogger("lefthand")


def run_synth(config: Config, stop: threading.Event) -> None:
    """Wait for the sound output, then run FluidSynth until `stop`.

    Raises UserError if FluidSynth or a soundfont is missing, if FluidSynth ends, or if the output goes away.
    """
    soundfont = find_soundfont(config.synth.soundfont)
    program = shutil.which("fluidsynth")
    if program is None:
        raise UserError("fluidsynth is not installed: run `sudo apt install fluidsynth` to get it.")
    midi_systems()  # raises UserError now if python-rtmidi is missing, not only after the output has come
    output = _wait_for_output(config.synth, stop)
    if output is None:
        return
    command = [program, *arguments(config, output, soundfont)]
    link, sources, targets = Link(), MidiPorts(output=False), MidiPorts(output=True)
    # FluidSynth's shell reads stdin and ends when the pipe closes, so it cannot outlive this process
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
    """Return FluidSynth's command-line arguments for the sound output `output`, which `_wait_for_output` returned."""
    # an audio interface often has one clock for input and output, so both use the same rate
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
    """Return the lines for FluidSynth's shell that select the sound of both hands; "" if the settings select none."""
    if not config.midi.program:
        return ""
    left = config.midi.channel - 1
    return "".join(f"prog {channel} {config.midi.program - 1}\n" for channel in (left, right_hand_channel(left)))


def find_soundfont(wanted: str) -> Path:
    """Return the path of the soundfont `wanted`, or of the best installed soundfont if `wanted` is empty.

    Raises UserError if the file is missing or no soundfont is installed. The message names the remedy.
    """
    if wanted:
        path = Path(wanted)
        if not path.is_file():
            raise UserError(f"The soundfont {path} is missing: give another in [synth] soundfont, or none.")
        return path
    for path in soundfonts(".sf2", ".sf3"):
        return path
    raise UserError("No soundfont is installed: run `sudo apt install fluid-soundfont-gm` to get one.")


def _wait_for_output(settings: SynthSettings, stop: threading.Event) -> str | None:
    """Wait for the sound output and return its name for FluidSynth; return None if `stop` is set first."""
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
    """Return the sound output that the settings name, in the form that FluidSynth takes; None if it is absent.

    The result is JACK or an ALSA device. If the settings give an ALSA device, which has a colon in its name, it is
    returned without a check. If they name a sound card, its ALSA device is returned. If they name nothing, the default
    device of ALSA is returned, provided that there is a sound card. Raises UserError if several cards fit the name.
    """
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
    # it is asked to quit first, because a JACK server would wait for a client that was killed
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
