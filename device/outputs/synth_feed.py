"""Sends both hands to the synthesiser, through a MIDI source of the box that is always open.

An error here never stops the loop. If no program listens, the MIDI system drops the messages.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import mido

from device.events import DRUM_CHANNEL
from device.outputs.silencing import silencing
from device.outputs.synth_link import SOURCE, right_hand_channel
from device.ports.midi_ports import midi_class, midi_client, midi_systems
from device.settings.config import Config
from device.status.faults import Faults

THROUGH = ("note_on", "note_off", "control_change", "pitchwheel")
"""mido names of the message types that are passed from the player's keyboard to the synthesiser. Others are dropped."""

log = logging.getLogger("lefthand")


class SynthFeed:
    """Sends MIDI messages to the synthesiser from an open MIDI source. Any thread may call `send` and `through`.

    Create and close it while no sound input is open, like every MIDI client (see `MidiPorts`). Without a MIDI system
    the synthesiser stays silent. `faults` counts messages that could not be sent.
    """

    def __init__(self, config: Config, faults: Faults) -> None:
        self._faults = faults
        self._lock = threading.Lock()
        self._right = right_hand_channel(config.midi.channel - 1)
        self._client = _open("JACK" if config.synth.device == "jack" else "ALSA")
        self._down: set[int] = set()
        if self._client is None:
            log.warning("there is no MIDI system for the synthesiser: it stays silent")

    @property
    def clients(self) -> int:
        """Return the number of open clients of the MIDI system: 0 or 1."""
        return int(self._client is not None)

    def send(self, message: mido.Message) -> None:
        """Send a message of the left hand at once."""
        with self._lock:
            self._write(message)

    def through(self, message: mido.Message) -> None:
        """Send a message of the player at once, on the right hand's channel.

        Only types of THROUGH are sent, and nothing from the drum channel.
        """
        if message.type not in THROUGH or message.channel == DRUM_CHANNEL:
            return
        moved = message.copy(channel=self._right)
        with self._lock:
            if moved.type == "note_on" and moved.velocity > 0:
                self._down.add(moved.note)
            elif moved.type in ("note_on", "note_off"):
                self._down.discard(moved.note)
            self._write(moved)

    def let_go(self) -> None:
        """Release the player's keys and pedal, because the keyboard has gone and will send no note-offs."""
        with self._lock:
            for note in sorted(self._down):
                self._write(mido.Message("note_off", channel=self._right, note=note, velocity=0))
            self._down.clear()
            for message in silencing(self._right)[128:]:
                self._write(message)

    def close(self) -> None:
        """Release the player's keys and pedal, and close the client."""
        if self._client is not None:
            self.let_go()
            client, self._client = self._client, None
            client.delete()

    def _write(self, message: mido.Message) -> None:
        if self._client is None:
            return
        try:
            self._client.send_message(message.bytes())
        except Exception:  # an error of RtMidi must not stop the loop
            self._faults.count("synth messages lost")


def _open(system: str) -> Any | None:
    for api, name in midi_systems():
        if name == system and (client := midi_client(midi_class(output=True), api)) is not None:
            client.open_virtual_port(SOURCE)
            return client
    return None
