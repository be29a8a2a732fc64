"""Builds the messages that silence an instrument, whichever keys it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.events import ALL_NOTES_OFF, ALL_SOUND_OFF, SUSTAIN

if TYPE_CHECKING:
    import mido

CONTROLS = (SUSTAIN, ALL_NOTES_OFF, ALL_SOUND_OFF)
_NOTE_OFF, _CONTROL_CHANGE = 0x80, 0xB0


def silencing(channel: int) -> list[mido.Message]:
    """Return the MIDI messages that silence `channel` (0 to 15): a note-off for each key, then three controllers.

    The controllers are pedal up, All Notes Off and All Sound Off. Many instruments ignore them, so the note-offs are
    needed.
    """
    import mido

    return [mido.Message.from_bytes(message) for message in silencing_bytes(channel)]


def silencing_bytes(channel: int) -> list[tuple[int, int, int]]:
    """Return the messages of `silencing` as tuples of three bytes.

    They serve callers that cannot wait for the import of mido.
    """
    return [(_NOTE_OFF | channel, key, 0) for key in range(128)] + controls_bytes(channel)


def controls_bytes(channel: int) -> list[tuple[int, int, int]]:
    """Return only the three controllers of `silencing_bytes`, as tuples of three bytes.

    They are pedal up, All Notes Off and All Sound Off.
    """
    return [(_CONTROL_CHANGE | channel, number, 0) for number in CONTROLS]
