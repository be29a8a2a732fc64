"""Reads the foot switch at its own port, `[midi] control`.

The box plays on without it, unless it also brings the clock.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from device.errors import UnavailableError
from device.inputs.control_queue import ControlQueue
from device.ports.midi_ports import InputPort, MidiPorts
from device.ports.port import CONTROL, Port, choose
from device.status.faults import Faults

if TYPE_CHECKING:
    import mido

log = logging.getLogger("lefthand")


class FootSwitch:
    """Opens and watches the MIDI input of the foot switch: the port among `inputs` that the name `wanted` selects.

    If the port is not `needed`, it may be missing, be unplugged and come back. `faults` counts its losses.
    """

    def __init__(self, wanted: str, inputs: MidiPorts, needed: bool, faults: Faults) -> None:
        self._wanted, self._inputs, self._needed, self._faults = wanted, inputs, needed, faults
        self._open: InputPort | None = None
        self._take: Callable[[mido.Message, float], object] = lambda message, at_s: None
        self.missing = ""
        """The missing port in words; "" if no port is missing."""
        self.back = False
        """True if the missing port is present again. A new session opens it."""

    def look(self) -> None:
        """Raise UnavailableError if the port is needed and cannot be chosen."""
        if self._needed:
            choose(self._wanted, self._inputs.ports(), CONTROL)

    def open(self, controls: ControlQueue, besides: Port | None = None) -> None:
        """Open the port of the foot switch. After `start`, its messages are passed to `controls`.

        `besides` is the port of the player's keyboard; it is None if the player has no MIDI keyboard. If it is also the
        port of the foot switch, it is not opened here, because the keyboard's input opens it and passes the messages to
        `controls`. If the port of the foot switch is missing and not needed, nothing is opened. Raises UnavailableError
        if the port cannot be chosen although it is needed, or cannot be opened.
        """
        port = self._port()
        if port is None or port == besides:
            return
        self._open, self._take = InputPort(port, controls.keeps_time), controls.take

    def start(self) -> None:
        """Begin to receive messages. Call it when every port is open: see `device.ports.midi_ports.MidiPorts`."""
        if self._open is not None:
            self._open.start(self._take)

    def check(self) -> None:
        """Set `missing` if the port has gone, and `back` if a missing port has come back.

        Raises UnavailableError if the port is needed and has gone.
        """
        if self.missing:
            self.back = self._port() is not None
        elif self._open is not None and not self._inputs.has(self._open.port):
            name = str(self._open.port)
            gone = UnavailableError(
                f'"{name}" is gone: connect it again and start again.', CONTROL, name, "it was unplugged"
            )
            if self._needed:
                raise gone
            self._faults.count("MIDI control lost")
            self.missing = gone.thing

    def close(self) -> None:
        """Close the port, if it is open."""
        if self._open is not None:
            self._open.close()

    def _port(self) -> Port | None:
        """Return the port that the settings name.

        If it is not needed and cannot be chosen, set `missing` and return None. Raises UnavailableError if it is needed
        and cannot be chosen.
        """
        try:
            return choose(self._wanted, self._inputs.ports(), CONTROL)
        except UnavailableError as error:
            if self._needed:
                raise
            self.missing = error.thing
            return None
