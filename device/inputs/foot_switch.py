"""The foot switch's own port, `[midi] control`: where it brings no clock, the box plays on without it."""

from __future__ import annotations

import logging

from device.errors import UnavailableError
from device.inputs.control_queue import ControlQueue
from device.ports.midi_ports import InputPort, MidiPorts
from device.ports.port import CONTROL, Port, choose
from device.status.faults import Faults

log = logging.getLogger("lefthand")


class FootSwitch:
    """A MIDI input for controls, by its name among `inputs`; one that is not `needed` may be missing, go and come."""

    def __init__(self, wanted: str, inputs: MidiPorts, needed: bool, faults: Faults) -> None:
        self._wanted, self._inputs, self._needed, self._faults = wanted, inputs, needed, faults
        self._open: InputPort | None = None
        self.missing = ""
        """What the box plays without, in words; "" where nothing is missing."""
        self.back = False
        """Whether what was missing is there now: a new session takes it."""

    def look(self) -> None:
        """Raises UnavailableError where it is needed and cannot be had."""
        if self._needed:
            choose(self._wanted, self._inputs.ports(), CONTROL)

    def open(self, controls: ControlQueue, besides: Port | None = None) -> None:
        """Let its messages reach `controls`; a port that is open already, `besides`, brings them by itself."""
        port = self._port()
        if port is None or port == besides:
            return
        self._open = InputPort(port, controls.keeps_time)
        self._open.start(controls.take)

    def check(self) -> None:
        """Look whether it went or came. Raises UnavailableError where it is needed and has gone."""
        if self.missing:
            self.back = self._port() is not None
        elif self._open is not None and not self._inputs.has(self._open.port):
            name = str(self._open.port)
            gone = UnavailableError(
                f'"{name}" is gone: connect it again and start anew.', CONTROL, name, "it was unplugged"
            )
            if self._needed:
                raise gone
            self._faults.count("MIDI control lost")
            self.missing = gone.thing

    def close(self) -> None:
        """Close its port."""
        if self._open is not None:
            self._open.close()

    def _port(self) -> Port | None:
        """Which port it is; None, with a word of what is missing, where it is not needed and cannot be told."""
        try:
            return choose(self._wanted, self._inputs.ports(), CONTROL)
        except UnavailableError as error:
            if self._needed:
                raise
            self.missing = error.thing
            return None
