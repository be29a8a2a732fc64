"""Lists, watches, opens, reads and closes the MIDI ports of this machine, through RtMidi."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from device.errors import PortKind, UnavailableError, missing_extra
from device.ports.drivers import abandon, within_reason
from device.ports.jack_clients import JackServer
from device.ports.port import API_NAMES, CLIENT, INPUT, OUTPUT, Port, choose
from device.system.quiet import quiet

if TYPE_CHECKING:
    import mido


class InputPort:
    """Opens the MIDI input `port`. Its messages are passed on after `start`.

    MIDI clock messages are received only if `clock` is true. System-exclusive messages and Active Sensing are always
    ignored. Raises UnavailableError if `port` has gone or is in use.
    """

    def __init__(self, port: Port, clock: bool = False) -> None:
        self._client, self.port = connect_input(port)
        self._client.ignore_types(sysex=True, timing=not clock, active_sense=True)

    def start(self, received: Callable[[mido.Message, float], object]) -> None:
        """Call `received` in RtMidi's thread with each message and its monotonic time of arrival in seconds."""
        # This import is here because the process that silences an instrument imports this file and must start quickly.
        from mido import Message

        def parse(event: tuple[list[int], float], data: Any = None) -> None:
            now_s = time.monotonic()
            try:
                message = Message.from_bytes(event[0])
            except (ValueError, IndexError):  # an incomplete message: plugging in a cable can produce one
                return
            received(message, now_s)

        self._client.set_callback(parse)

    def close(self) -> None:
        """Close the port; the second call does nothing."""
        if not self._client.is_deleted:
            self._client.cancel_callback()
            self._client.close_port()
            self._client.delete()


class PolledInput:
    """Opens a MIDI input whose messages wait until `messages` is called. Raises UnavailableError as `connect_input`.

    RtMidi calls no Python code for this input. So other ports may be opened and closed while messages arrive, see
    `MidiPorts`.
    """

    def __init__(self, port: Port) -> None:
        self._client, self.port = connect_input(port)
        self._client.ignore_types(sysex=True, timing=True, active_sense=True)

    def messages(self) -> list[mido.Message]:
        """Return the messages that have arrived since the last call."""
        from mido import Message

        taken: list[mido.Message] = []
        while (event := self._client.get_message()) is not None:
            # an incomplete message: plugging in a cable can produce one
            with contextlib.suppress(ValueError, IndexError):
                taken.append(Message.from_bytes(event[0]))
        return taken

    def close(self) -> None:
        """Close the port."""
        self._client.close_port()
        self._client.delete()


class MidiPorts:
    """Lists the MIDI ports of one direction that are present. The list is empty before the first `refresh`.

    This object polls because RtMidi does not report a port that is unplugged. It keeps one client for each MIDI system,
    because a new client for each poll would use up the system's clients. Create and close no client while PortAudio's
    callback runs on JACK, because that is a deadlock: the server waits for the callback, the callback waits for the
    interpreter lock, and the thread that creates the client holds that lock.
    """

    def __init__(self, output: bool) -> None:
        self._output = output
        self._clients: dict[str, Any] = {}
        self._jack: JackServer | None = None

    @property
    def clients(self) -> int:
        """Return the number of open clients: one for each MIDI system that runs."""
        return len(self._clients)

    @property
    def server_ended(self) -> bool:
        """Return whether the JACK server of an open client has ended. This process can then not close the client."""
        return self._jack is not None and self._jack.ended

    def refresh(self) -> None:
        """Connect to MIDI systems that were missing before or were restarted.

        Do not call this while a sound input is open. Raises UserError if python-rtmidi is missing.
        """
        kind = midi_class(output=self._output)
        for api, name in midi_systems():
            client = self._clients.get(name)
            if client is not None and self._runs(name) and client.get_ports():
                continue
            # a client of a JACK server that died is useless; ALSA's sequencer does not end
            if client is not None and name == "JACK":
                self._drop(name)
                client = None
            if client is None and (client := midi_client(kind, api)) is not None:
                self._clients[name] = client
                self._watch_server(name)

    def ports(self) -> list[Port]:
        """Return the ports that are present now."""
        return [
            Port(str(name), api, i)
            for api, client in self._clients.items()
            if self._runs(api)
            for i, name in enumerate(client.get_ports())
        ]

    def has(self, port: Port) -> bool:
        """Return whether `port` is present now."""
        client = self._clients.get(port.api)
        return client is not None and self._runs(port.api) and port.name in client.get_ports()

    def close(self) -> None:
        """Close all clients."""
        for name in list(self._clients):
            self._drop(name)
        if self._jack is not None:
            self._jack.close()

    def _drop(self, system: str) -> None:
        client, runs = self._clients.pop(system), self._runs(system)
        if runs:
            within_reason(client.delete)
        else:
            abandon(client)

    def _runs(self, system: str) -> bool:
        """Return False for JACK if its server has ended since the client was opened, otherwise True."""
        return system != "JACK" or not self.server_ended

    def _watch_server(self, system: str) -> None:
        """Begin to watch the JACK server, if `system` is JACK. Its clients go on listing ports when it has ended."""
        if system == "JACK":
            if self._jack is not None:
                self._jack.close()
            self._jack = JackServer()


def midi_outputs() -> list[Port]:
    """Return the MIDI output ports of every MIDI system that runs. Raises UserError if python-rtmidi is missing."""
    return _ports(_rtmidi().MidiOut)


def midi_inputs() -> list[Port]:
    """Return the MIDI input ports of every MIDI system that runs. Raises UserError if python-rtmidi is missing."""
    return _ports(_rtmidi().MidiIn)


def open_output(name: str) -> tuple[Any, Port]:
    """Open the MIDI output that `name` selects, and return its connected `rtmidi.MidiOut` and its port.

    Raises UnavailableError if not exactly one port fits `name`, or if the port is gone or in use.
    """
    return connect_output(choose(name, midi_outputs(), OUTPUT))


def connect_output(port: Port, own_name: str = "left hand") -> tuple[Any, Port]:
    """Return an `rtmidi.MidiOut` that is connected to `port`, and `port`.

    Other programs see this client's own port as `own_name`. Raises UnavailableError if `port` is gone or in use.
    """
    return _open(_rtmidi().MidiOut, port, own_name, OUTPUT)


def connect_input(port: Port) -> tuple[Any, Port]:
    """Return an `rtmidi.MidiIn` that is connected to `port`, and `port`.

    Raises UnavailableError if `port` is gone or in use.
    """
    return _open(_rtmidi().MidiIn, port, "right hand", INPUT)


def midi_class(*, output: bool) -> Callable[..., Any]:
    """Return RtMidi's client class for outputs (`output` true) or inputs.

    Raises UserError if python-rtmidi is missing.
    """
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


def _open(kind: Callable[..., Any], port: Port, own_name: str, word: PortKind) -> tuple[Any, Port]:
    """Return a client of RtMidi's class `kind` that is connected to `port`, and the port.

    Raises UnavailableError for a port of the kind `word` if it is gone or refuses.
    """
    for api, display in midi_systems():
        if display != port.api or (client := midi_client(kind, api)) is None:
            continue
        # Clients come and go, so the port's index is looked up again just before connecting.
        names = client.get_ports()
        if port.name not in names:
            client.delete()
            continue
        try:
            client.open_port(names.index(port.name), name=own_name)
        except (_rtmidi().RtMidiError, OSError) as error:
            client.delete()
            raise UnavailableError(
                f'"{port}" cannot be opened ({error}): close the program that uses it.', word, str(port)
            ) from None
        return client, port
    raise UnavailableError(f'"{port}" went away before it could be opened: connect it again.', word, str(port))


def midi_systems() -> list[tuple[int, str]]:
    """Return (number, name) of each MIDI system that RtMidi was built for.

    Raises UserError if python-rtmidi is missing.
    """
    rtmidi = _rtmidi()
    named = [(api, str(rtmidi.get_api_display_name(api))) for api in rtmidi.get_compiled_api()]
    return [(api, API_NAMES.get(name, name)) for api, name in named]


def midi_client(kind: Callable[..., Any], api: int) -> Any | None:
    """Return a client of the MIDI system `api`, or None if that system does not run."""
    with quiet():
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
