"""Sound inputs and MIDI ports of this machine, and the one that a name means."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from device.errors import UnavailableError, missing_extra

RATES = (8_000, 16_000, 22_050, 32_000, 44_100, 48_000, 88_200, 96_000, 192_000)
"""Sample rates in Hz that an input is asked about."""
INPUT, OUTPUT, SOUND, CONTROL = "MIDI input", "MIDI output", "audio input", "MIDI control"
"""What a port is called in errors."""
CLIENT = "lefthand"
"""What the box is called among the clients of the MIDI system."""
CLOSE_S = 0.5
"""Closing takes no longer, unless the driver hangs."""
_API_NAMES = {"JACK Audio Connection Kit": "JACK", "Jack": "JACK"}


@dataclass(frozen=True)
class Port:
    """A MIDI port, or a sound input, as the system that has it (`api`: ALSA, JACK) numbers and names it."""

    name: str
    api: str
    index: int

    def __str__(self) -> str:
        return f"{self.name} [{self.api}]"


@dataclass(frozen=True)
class SoundInput(Port):
    """A sound input with its number of channels and the sample rate (Hz) it has if none is asked for."""

    channels: int
    default_rate: int


AnyPort = TypeVar("AnyPort", bound=Port)


def choose(wanted: str, ports: Sequence[AnyPort], kind: str) -> AnyPort:
    """The one of `ports` called `wanted`: exactly, else the only one whose name contains it in any case.

    A name may be given with its system, as `lefthand devices` prints it: `tape [JACK]`. Raises UnavailableError
    with the candidates where several fit, and with what is there where none does. `kind` is the word for
    such a port.
    """
    exact = [port for port in ports if wanted in (port.name, str(port))]
    fitting = exact or [port for port in ports if wanted.casefold() in str(port).casefold()]
    if len(fitting) == 1:
        return fitting[0]
    thing = f'{kind} "{wanted}"'
    if fitting:
        raise UnavailableError(
            f'"{wanted}" could be more than one {kind}: write which one of {_listing(fitting)}.',
            thing,
            f"it could be any of {_listing(fitting)}; write which one in the settings",
        )
    there = f"there is {_listing(ports)}" if ports else f"there is no {kind} at all"
    raise UnavailableError(
        f"There is no {thing}: {there}; connect it, or change the name in the settings.",
        thing,
        f"it is not connected; {there}",
    )


def _listing(ports: Sequence[Port]) -> str:
    return ", ".join(f'"{port}"' for port in ports)


# Sound inputs


@contextlib.contextmanager
def portaudio() -> Iterator[Any]:
    """A `pyaudio.PyAudio`, which sees the devices that are there as it begins; ends with the context."""
    try:
        import pyaudio
    except ImportError:
        raise missing_extra("pyaudio", "live") from None
    with _quiet():
        system = pyaudio.PyAudio()
    try:
        yield system
    finally:
        if not left_behind():
            with _quiet():
                within_reason(system.terminate)


_closing: list[threading.Thread] = []


def within_reason(call: Callable[[], object]) -> bool:
    """Do `call`, which closes something; False where that takes more than CLOSE_S, and it is left behind.

    A driver whose device has gone may wait for it: PortAudio on a JACK server that died waits ten minutes.
    """
    thread = threading.Thread(target=call, name="closing", daemon=True)
    thread.start()
    thread.join(CLOSE_S)
    if thread.is_alive():
        _closing.append(thread)
    return not thread.is_alive()


def left_behind() -> bool:
    """Whether something is still being closed: this process will then see no new sound input any more."""
    return any(thread.is_alive() for thread in _closing)


def sound_inputs(system: Any) -> list[SoundInput]:
    """The inputs that the PyAudio instance `system` sees; one that goes away while it is looked at is none."""
    inputs = []
    for index in range(system.get_device_count()):
        try:
            info = system.get_device_info_by_index(index)
            api = str(system.get_host_api_info_by_index(info["hostApi"])["name"])
        except OSError:
            continue
        if info["maxInputChannels"] > 0:
            inputs.append(
                SoundInput(
                    name=str(info["name"]),
                    api=_API_NAMES.get(api, api),
                    index=index,
                    channels=int(info["maxInputChannels"]),
                    default_rate=round(info["defaultSampleRate"]),
                )
            )
    return inputs


def rates_of(system: Any, source: SoundInput, channels: int = 1) -> list[int]:
    """The sample rates in Hz of RATES, and its own, that `source` delivers with `channels` channels."""
    import pyaudio

    rates = []
    for rate in sorted({*RATES, source.default_rate}):
        with _quiet(), contextlib.suppress(ValueError, OSError):
            if system.is_format_supported(
                rate, input_device=source.index, input_channels=channels, input_format=pyaudio.paFloat32
            ):
                rates.append(rate)
    return rates


# MIDI ports


def midi_outputs() -> list[Port]:
    """The ports that take MIDI messages, of every MIDI system that runs."""
    return _ports(_rtmidi().MidiOut)


def midi_inputs() -> list[Port]:
    """The ports that give MIDI messages, of every MIDI system that runs."""
    return _ports(_rtmidi().MidiIn)


def open_output(name: str) -> tuple[Any, Port]:
    """A connected `rtmidi.MidiOut` and its port; UnavailableError as `choose`."""
    return connect_output(choose(name, midi_outputs(), OUTPUT))


def open_input(name: str) -> tuple[Any, Port]:
    """A connected `rtmidi.MidiIn` and its port; UnavailableError as `choose`."""
    return connect_input(choose(name, midi_inputs(), INPUT))


def connect_output(port: Port) -> tuple[Any, Port]:
    """A `rtmidi.MidiOut` connected to `port`, and it; UnavailableError where it has gone or is in use."""
    return _open(_rtmidi().MidiOut, port, "left hand", OUTPUT)


def connect_input(port: Port) -> tuple[Any, Port]:
    """A `rtmidi.MidiIn` connected to `port`, and it; UnavailableError where it has gone or is in use."""
    return _open(_rtmidi().MidiIn, port, "right hand", INPUT)


def midi_class(output: bool) -> Callable[..., Any]:
    """RtMidi's class of clients of one direction."""
    kind: Callable[..., Any] = _rtmidi().MidiOut if output else _rtmidi().MidiIn
    return kind


def _ports(kind: Callable[..., Any]) -> list[Port]:
    ports: list[Port] = []
    for api, display in midi_systems():
        client = midi_client(kind, api)
        if client is None:
            continue
        names = client.get_ports()
        client.delete()
        ports += [Port(str(name), display, i) for i, name in enumerate(names)]
    return ports


def _open(kind: Callable[..., Any], port: Port, own_name: str, word: str) -> tuple[Any, Port]:
    thing = f'{word} "{port}"'
    for api, display in midi_systems():
        if display != port.api or (client := midi_client(kind, api)) is None:
            continue
        # Clients come and go: the index that counts is that of the moment of connecting.
        names = client.get_ports()
        if port.name not in names:
            client.delete()
            continue
        try:
            client.open_port(names.index(port.name), name=own_name)
        except (_rtmidi().RtMidiError, OSError) as error:
            client.delete()
            raise UnavailableError(
                f'"{port}" cannot be opened ({error}): close the program that uses it.', thing
            ) from None
        return client, port
    raise UnavailableError(f'"{port}" went away before it could be opened: connect it again.', thing)


def midi_systems() -> list[tuple[int, str]]:
    """(number, name) of the MIDI systems that RtMidi was built for."""
    rtmidi = _rtmidi()
    named = [(api, str(rtmidi.get_api_display_name(api))) for api in rtmidi.get_compiled_api()]
    return [(api, _API_NAMES.get(name, name)) for api, name in named]


def midi_client(kind: Callable[..., Any], api: int) -> Any | None:
    """A client of the MIDI system `api`, None where that does not run."""
    with _quiet():
        try:
            return kind(api, name=CLIENT)
        except _rtmidi().RtMidiError:
            return None


def _rtmidi() -> Any:
    try:
        import rtmidi
    except ImportError:
        raise missing_extra("python-rtmidi", "live") from None
    return rtmidi


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing on stderr, where libasound and libjack tell of every device that is not there."""
    saved = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
