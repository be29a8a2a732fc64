"""The synthesiser as the box sees it: a MIDI source of its own that is always open, whoever listens.

Nothing here can fail the loop: what nobody listens to is dropped by the MIDI system.
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
"""What a player's own keyboard sends on to the synthesiser."""

log = logging.getLogger("lefthand")


class SynthFeed:
    """The open source; `send` and `through` may be called from any thread.

    Make and close it while no sound input is open, as every MIDI client.
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
        """How many clients of the MIDI system it has open."""
        return int(self._client is not None)

    def send(self, message: mido.Message) -> None:
        """A message of the left hand, now."""
        with self._lock:
            self._write(message)

    def through(self, message: mido.Message) -> None:
        """A message of the player's own, sounded on the right hand's channel at once."""
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
        """The player's keyboard is gone: what it held would sound for ever."""
        with self._lock:
            for note in sorted(self._down):
                self._write(mido.Message("note_off", channel=self._right, note=note, velocity=0))
            self._down.clear()
            for message in silencing(self._right)[128:]:
                self._write(message)

    def close(self) -> None:
        """Let go, and give the client back."""
        if self._client is not None:
            self.let_go()
            client, self._client = self._client, None
            client.delete()

    def _write(self, message: mido.Message) -> None:
        if self._client is None:
            return
        try:
            self._client.send_message(message.bytes())
        except Exception:  # whatever RtMidi raises: the synthesiser never stops the loop
            self._faults.count("synth messages lost")


def _open(system: str) -> Any | None:
    for api, name in midi_systems():
        if name == system and (client := midi_client(midi_class(True), api)) is not None:
            client.open_virtual_port(SOURCE)
            return client
    return None
