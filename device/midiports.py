"""The MIDI ports that are there, asked again and again: one long-lived client to each MIDI system.

RtMidi does not tell of a port that is unplugged, and a client made for each question would use up the
system's. No client may be made or closed while PortAudio's callback runs on JACK: the server would wait for
the callback, the callback for the interpreter, and the maker holds that.
"""

from __future__ import annotations

from typing import Any

from device.ports.midi_ports import Port, midi_class, midi_client, midi_systems, within_reason


class MidiPorts:
    """Ports of one direction, the outputs or the inputs; none before the first `refresh`."""

    def __init__(self, output: bool) -> None:
        self._output = output
        self._clients: dict[str, Any] = {}

    @property
    def clients(self) -> int:
        """How many clients it has open."""
        return len(self._clients)

    def refresh(self) -> None:
        """Reach the systems that were not there, or have been started anew; not while a sound input is open.

        Raises UserError where python-rtmidi is missing.
        """
        kind = midi_class(self._output)
        for api, name in midi_systems():
            client = self._clients.get(name)
            if client is not None and client.get_ports():
                continue
            # a JACK server that died takes its clients with it; ALSA's sequencer stays
            if client is not None and name == "JACK":
                within_reason(self._clients.pop(name).delete)
                client = None
            if client is None and (client := midi_client(kind, api)) is not None:
                self._clients[name] = client

    def ports(self) -> list[Port]:
        """Those that are there now."""
        return [
            Port(str(name), api, i)
            for api, client in self._clients.items()
            for i, name in enumerate(client.get_ports())
        ]

    def has(self, port: Port) -> bool:
        """Whether `port` is there now."""
        client = self._clients.get(port.api)
        return client is not None and port.name in client.get_ports()

    def close(self) -> None:
        """Give the clients back."""
        while self._clients:
            within_reason(self._clients.popitem()[1].delete)
