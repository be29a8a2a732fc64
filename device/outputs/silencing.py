"""What silences an instrument, whatever it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.events import ALL_NOTES_OFF, ALL_SOUND_OFF, SUSTAIN

if TYPE_CHECKING:
    import mido

CONTROLS = (SUSTAIN, ALL_NOTES_OFF, ALL_SOUND_OFF)
_NOTE_OFF, _CONTROL_CHANGE = 0x80, 0xB0


def silencing(channel: int) -> list[mido.Message]:
    """On `channel` (0 to 15): a note-off for each key, for many instruments know no other; then the controllers."""
    import mido

    return [mido.Message.from_bytes(message) for message in silencing_bytes(channel)]


def silencing_bytes(channel: int) -> list[tuple[int, int, int]]:
    """As `silencing`, as a wire has it: for one who cannot wait until mido is imported."""
    return [(_NOTE_OFF | channel, key, 0) for key in range(128)] + controls_bytes(channel)


def controls_bytes(channel: int) -> list[tuple[int, int, int]]:
    """The controllers alone."""
    return [(_CONTROL_CHANGE | channel, number, 0) for number in CONTROLS]
