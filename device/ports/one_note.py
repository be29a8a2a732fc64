"""Plays one note on a MIDI output that the box does not have open.

    python -m device.ports.one_note PORT CHANNEL PROGRAM

The owner hears whether an output works before choosing it. The command is a process of its own, so a driver that hangs
or crashes does not affect the box. CHANNEL counts from 1. PROGRAM 0 leaves the sound as it is.
"""

from __future__ import annotations

import sys
import time

from device.errors import UserError
from device.ports.midi_ports import open_output
from device.printable import printable

KEY, VELOCITY, LENGTH_S = 48, 80, 0.8
"""MIDI pitch (C3), MIDI velocity, and length in seconds."""
DRAIN_S = 0.1
"""Seconds between the last message and closing the port, because MIDI systems deliver late."""
NOTE_ON, NOTE_OFF, PROGRAM = 0x90, 0x80, 0xC0
"""Status bytes of MIDI messages on channel 1."""


def play(port: str, channel: int, program: int) -> None:
    """Play the note on the MIDI output that `port` names, and return when it has ended.

    `channel` counts from 1. `program` 0 leaves the sound as it is. Raises UserError if the port cannot be opened.
    """
    client, _ = open_output(port)
    if program:
        client.send_message([PROGRAM + channel - 1, program - 1])
    client.send_message([NOTE_ON + channel - 1, KEY, VELOCITY])
    try:
        time.sleep(LENGTH_S)
    finally:
        client.send_message([NOTE_OFF + channel - 1, KEY, 0])
        time.sleep(DRAIN_S)
        client.delete()


if __name__ == "__main__":
    try:
        play(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except UserError as refusal:
        print(printable(str(refusal)), file=sys.stderr)
        sys.exit(refusal.exit_code)
